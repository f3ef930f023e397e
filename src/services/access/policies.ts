import type { Clock } from '../../core/base/clock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { PolicyRecord, PolicyType, PolicyVersionRecord } from '../../core/domain/identities.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { PolicyEntities, PolicyRef, PolicyView } from '../../core/ports/identities.ts';
import type { Directory } from './directory.ts';
import { checkLength, checkName, checkRoom } from './input.ts';
import { documentOf } from './policy-documents.ts';
import { SYSTEM_POLICIES, systemPolicy, type SystemPolicy } from './system-policies.ts';

interface PoliciesOptions {
  readonly directory: Directory;
  readonly clock: Clock;
}

const DESCRIPTION_MAX = 1_024;

/** Policies of the account with their versions, and those of the platform. */
export class Policies {
  private readonly options: PoliciesOptions;

  constructor(options: PoliciesOptions) {
    this.options = options;
  }

  async create(account: string, name: string, document: string, description: string): Promise<PolicyView> {
    const { directory, clock } = this.options;
    checkName('policy', 'PolicyName', name);
    checkLength('Description', description, DESCRIPTION_MAX);
    documentOf(document);
    const room = LIMITS.policiesPerAccount;
    checkRoom('policies of one account', 'policiesPerAccount', directory.count('policy', account), room);
    const now = clock.now();
    const record: PolicyRecord = {
      account,
      name,
      description,
      createdAt: now,
      updatedAt: now,
      versions: [{ versionId: 'v1', document, createdAt: now }],
      defaultVersion: 'v1',
      nextVersion: 2,
    };
    if (systemPolicy(name) === undefined && (await directory.create('policy', account, name, record))) {
      return customView(record, 0);
    }
    throw new TidemillError('EntityAlreadyExists.Policy', `The policy '${name}' exists already`);
  }

  get(account: string, { type, name }: PolicyRef): PolicyView {
    if (type === 'System') {
      const policy = systemPolicy(name);
      if (policy === undefined) throw noPolicy(type, name);
      return systemView(policy, this.attachments(account, { type, name }));
    }
    const record = this.options.directory.get('policy', account, name);
    if (record === undefined) throw noPolicy(type, name);
    return customView(record, this.attachments(account, { type, name }));
  }

  list(account: string, type: PolicyType | undefined): readonly PolicyView[] {
    const counts = this.attachmentCounts(account);
    const countOf = (of: PolicyType, name: string): number => counts.get(`${of}/${name}`) ?? 0;
    const custom = this.options.directory.all('policy', account);
    return [
      ...(type === 'System' ? [] : custom.map((record) => customView(record, countOf('Custom', record.name)))),
      ...(type === 'Custom' ? [] : SYSTEM_POLICIES.map((policy) => systemView(policy, countOf('System', policy.name)))),
    ];
  }

  async describe(account: string, name: string, description: string): Promise<PolicyView> {
    checkLength('NewDescription', description, DESCRIPTION_MAX);
    const record = await this.change(account, name, (before) => ({ ...before, description }));
    return customView(record, this.attachments(account, { type: 'Custom', name }));
  }

  delete(account: string, name: string): Promise<void> {
    return this.options.directory.exclusive(account, () => this.remove(account, name));
  }

  private async remove(account: string, name: string): Promise<void> {
    const there = await this.options.directory.remove('policy', account, name, (record) => {
      const problem = this.conflict(account, record);
      if (problem !== undefined) throw new TidemillError('DeleteConflict.Policy', `The policy '${name}' ${problem}`);
    });
    if (!there) throw noPolicy('Custom', name);
  }

  private conflict(account: string, record: PolicyRecord): string | undefined {
    const attached = this.attachments(account, { type: 'Custom', name: record.name });
    if (attached > 0) return `is attached ${attached} times`;
    return record.versions.length > 1 ? `has ${record.versions.length} versions` : undefined;
  }

  async createVersion(
    account: string,
    name: string,
    document: string,
    { asDefault, dropOldest }: { readonly asDefault: boolean; readonly dropOldest: boolean },
  ): Promise<PolicyVersionRecord> {
    documentOf(document);
    const createdAt = this.options.clock.now();
    const written = await this.change(account, name, (record) => {
      const versions = dropOldest ? withoutOldest(record) : record.versions;
      checkRoom('versions of one policy', 'policyVersions', versions.length, LIMITS.policyVersions);
      const versionId = `v${record.nextVersion}`;
      return {
        ...record,
        versions: [...versions, { versionId, document, createdAt }],
        defaultVersion: asDefault ? versionId : record.defaultVersion,
        nextVersion: record.nextVersion + 1,
      };
    });
    return written.versions.at(-1)!;
  }

  async setDefault(account: string, name: string, versionId: string): Promise<void> {
    await this.change(account, name, (record) => {
      requireVersion(record, versionId);
      return { ...record, defaultVersion: versionId };
    });
  }

  async deleteVersion(account: string, name: string, versionId: string): Promise<void> {
    await this.change(account, name, (record) => {
      requireVersion(record, versionId);
      if (record.defaultVersion === versionId) {
        throw new TidemillError(
          'DeleteConflict.Policy',
          `The version '${versionId}' of '${name}' is its default version`,
        );
      }
      return { ...record, versions: record.versions.filter((each) => each.versionId !== versionId) };
    });
  }

  entities(account: string, policy: PolicyRef): PolicyEntities {
    this.get(account, policy);
    const { directory } = this.options;
    const found = <T extends { readonly policies: readonly { type: PolicyType; name: string; attachedAt: number }[] }>(
      records: readonly T[],
    ): readonly { record: T; attachedAt: number }[] =>
      records.flatMap((record) => {
        const attached = record.policies.find((each) => each.type === policy.type && each.name === policy.name);
        return attached === undefined ? [] : [{ record, attachedAt: attached.attachedAt }];
      });
    return {
      users: found(directory.all('user', account)),
      groups: found(directory.all('group', account)),
      roles: found(directory.all('role', account)),
    };
  }

  private attachments(account: string, { type, name }: PolicyRef): number {
    return this.attachmentCounts(account).get(`${type}/${name}`) ?? 0;
  }

  private attachmentCounts(account: string): ReadonlyMap<string, number> {
    const { directory } = this.options;
    const counts = new Map<string, number>();
    for (const kind of ['user', 'group', 'role'] as const) {
      for (const { policies } of directory.all(kind, account)) {
        for (const { type, name } of policies) counts.set(`${type}/${name}`, (counts.get(`${type}/${name}`) ?? 0) + 1);
      }
    }
    return counts;
  }

  private async change(
    account: string,
    name: string,
    change: (record: PolicyRecord) => PolicyRecord,
  ): Promise<PolicyRecord> {
    const updatedAt = this.options.clock.now();
    const written = await this.options.directory.change('policy', account, name, (record) => ({
      ...change(record),
      updatedAt,
    }));
    if (written === undefined) throw noPolicy('Custom', name);
    return written;
  }
}

export function noPolicy(type: PolicyType, name: string): TidemillError {
  return new TidemillError('EntityNotExist.Policy', `The ${type.toLowerCase()} policy '${name}' does not exist`);
}

function requireVersion(record: PolicyRecord, versionId: string): void {
  if (record.versions.some((each) => each.versionId === versionId)) return;
  throw new TidemillError(
    'EntityNotExist.Policy.Version',
    `The policy '${record.name}' has no version '${versionId.slice(0, 20)}'`,
  );
}

/** Makes room for one more version, where it must: the oldest goes that is not the default. */
function withoutOldest(record: PolicyRecord): readonly PolicyVersionRecord[] {
  if (record.versions.length < LIMITS.policyVersions) return record.versions;
  const oldest = record.versions.find((each) => each.versionId !== record.defaultVersion);
  return record.versions.filter((each) => each !== oldest);
}

function customView(record: PolicyRecord, attachmentCount: number): PolicyView {
  const { name, description, createdAt, updatedAt, defaultVersion, versions } = record;
  return { name, type: 'Custom', description, createdAt, updatedAt, defaultVersion, versions, attachmentCount };
}

function systemView({ name, description, document }: SystemPolicy, attachmentCount: number): PolicyView {
  const versions = [{ versionId: 'v1', document, createdAt: 0 }];
  return {
    name,
    type: 'System',
    description,
    createdAt: 0,
    updatedAt: 0,
    defaultVersion: 'v1',
    versions,
    attachmentCount,
  };
}
