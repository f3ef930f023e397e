import type { Clock } from '../../core/base/clock.ts';
import { layerArn, parseLayerArn } from '../../core/domain/arn.ts';
import { notSupported, TidemillError } from '../../core/domain/errors.ts';
import type { LayerRecord } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { RUNTIMES } from '../../core/domain/runtime.ts';
import { blobId } from '../../core/ports/blob-store.ts';
import type { Input, LayerView, ListQuery, Page } from '../../core/ports/control.ts';
import type { AccountUse } from './account-use.ts';
import type { CodeIntake } from './code-intake.ts';
import type { CodeReferences } from './code-references.ts';
import type { LayerDocument, LayerVersionDocument } from './documents.ts';
import type { Document, DocumentStore } from './document-store.ts';
import { FieldReader, invalid, isRecord, shown } from './fields.ts';
import { KeyedLock } from '../../core/base/keyed-lock.ts';
import { keys } from './keys.ts';
import { checkName, isName } from './names.ts';
import { fromToken, pageLimit, takePage } from './paging.ts';

interface LayersOptions {
  readonly documents: DocumentStore;
  readonly intake: CodeIntake;
  readonly references: CodeReferences;
  readonly use: AccountUse;
  readonly clock: Clock;
  readonly region: string;
}

/** Layers and their versions (FC reference 1.3). Version numbers are never reused; access is per layer, not per version. */
export class Layers {
  private readonly options: LayersOptions;
  private readonly locks = new KeyedLock();

  constructor(options: LayersOptions) {
    this.options = options;
  }

  async create(account: string, name: string, input: Input): Promise<LayerView> {
    const layerName = checkName('layerName', name);
    const reader = new FieldReader(input);
    const description = reader.string('description', { max: LIMITS.descriptionLength }) ?? '';
    const license = reader.string('license', { max: 512 }) ?? '';
    const compatibleRuntime = readCompatibleRuntime(reader);
    const code = reader.raw('code');
    reader.done();
    if (!isRecord(code)) throw invalid('code', 'is required but not provided');
    return this.options.intake.take(account, code, (incoming) =>
      this.locks.run(keys.layer(account, layerName), async () => {
        const { documents, references } = this.options;
        const { version, access } = await this.reserve(account, layerName);
        const record: LayerRecord = {
          account,
          layerName,
          version,
          code: incoming.package,
          compatibleRuntime,
          description,
          license,
          public: access,
          createdTime: this.options.clock.now(),
        };
        const owner = keys.layerVersion(account, layerName, version);
        const taken = [{ id: blobId(incoming.package), bytes: incoming.bytes }];
        await this.options.use.admit(account, { code: incoming.package }, () =>
          references.change({ owner, taken, dropped: [] }, () => documents.put(owner, { record }, 0)),
        );
        return this.view(record);
      }),
    );
  }

  /** Takes the next number before the version is written: a crash between leaves a gap, never a reused number. */
  private async reserve(account: string, layerName: string): Promise<{ version: number; access: boolean }> {
    const { documents } = this.options;
    const key = keys.layer(account, layerName);
    for (;;) {
      const head = await documents.read<LayerDocument>(key);
      const version = (head?.value.lastVersion ?? 0) + 1;
      const access = head?.value.public ?? false;
      const next: LayerDocument = { lastVersion: version, public: access };
      if ((await documents.put(key, next, head?.revision ?? 0)).ok) return { version, access };
    }
  }

  private view(record: LayerRecord): LayerView {
    return { record, arn: layerArn(this.options.region, record.account, record.layerName, record.version) };
  }

  private async head(account: string, layerName: string): Promise<Document<LayerDocument>> {
    const head = isName(layerName)
      ? await this.options.documents.read<LayerDocument>(keys.layer(account, layerName))
      : undefined;
    if (head === undefined) throw new TidemillError('LayerNotFound', `layer '${layerName}' does not exist`);
    return head;
  }

  async get(account: string, layerName: string, version: string | number): Promise<LayerView> {
    const head = await this.head(account, layerName);
    const number = toVersion(version);
    const found =
      number === undefined
        ? undefined
        : await this.options.documents.read<LayerVersionDocument>(keys.layerVersion(account, layerName, number));
    if (found === undefined) {
      throw new TidemillError('LayerVersionNotFound', `version '${version}' of layer '${layerName}' does not exist`);
    }
    return this.view({ ...found.value.record, public: head.value.public });
  }

  async getByArn(account: string, arn: string): Promise<LayerView> {
    const parsed = parseLayerArn(arn);
    if (parsed === undefined) throw invalid('arn', `${shown(arn)} is not a layer version ARN`);
    if (parsed.account === 'official') throw notSupported(`the official layer '${arn}'`, 'Create a layer of your own.');
    const owner = parsed.account === '' ? account : parsed.account;
    const missing = new TidemillError('LayerVersionNotFound', `layer version '${arn}' does not exist`);
    const view = await this.get(owner, parsed.layer, parsed.version).catch((error: unknown) => {
      if (error instanceof TidemillError && error.code === 'LayerNotFound') throw missing;
      throw error;
    });
    if (owner !== account && !view.record.public) throw missing;
    return view;
  }

  /** Deleting what does not exist is LayerVersionNotFound. Functions that use the version keep its package. */
  async delete(account: string, layerName: string, version: string | number): Promise<void> {
    const { record } = await this.get(account, layerName, version);
    const key = keys.layerVersion(account, layerName, record.version);
    await this.options.references.drop({ blobs: [blobId(record.code)], owners: [key] }, () =>
      this.options.documents.delete(key),
    );
  }

  async listVersions(
    account: string,
    layerName: string,
    query: { readonly startVersion?: string | number | undefined; readonly limit?: string | number | undefined },
  ): Promise<{ items: LayerView[]; nextVersion?: number }> {
    const head = await this.head(account, layerName);
    const limit = pageLimit(query.limit);
    const start =
      query.startVersion === undefined || query.startVersion === '' ? undefined : toVersion(query.startVersion);
    if (query.startVersion !== undefined && query.startVersion !== '' && start === undefined) {
      throw invalid('startVersion', `must be a version number, not ${shown(query.startVersion)}`);
    }
    const found = await this.options.documents.list<LayerVersionDocument>(keys.layerVersions(account, layerName), {
      reverse: true,
      limit: limit + 1,
      ...(start === undefined ? {} : { after: keys.layerVersion(account, layerName, start + 1) }),
    });
    const items = found.slice(0, limit).map(({ value }) => this.view({ ...value.record, public: head.value.public }));
    const next = found[limit]?.value.record.version;
    return next === undefined ? { items } : { items, nextVersion: next };
  }

  async list(
    account: string,
    query: ListQuery & { readonly public?: string | undefined; readonly official?: string | undefined },
  ): Promise<Page<LayerView>> {
    const limit = pageLimit(query.limit);
    const wantPublic = readFlag('public', query.public);
    const after = fromToken(query.nextToken);
    if (readFlag('official', query.official) === true) return { items: [] };
    const prefix = query.prefix ?? '';
    if (prefix !== '' && !isName(prefix)) return { items: [] };
    // Public layers are looked for in all accounts.
    const below = wantPublic === true ? 'm/' : keys.layer(account, prefix);
    const source = this.options.documents.scan<LayerDocument>(below, { after });
    return takePage(
      source,
      limit,
      (head) => head.key,
      (head) => this.newest(head, prefix, wantPublic),
    );
  }

  private async newest(
    head: Document<LayerDocument>,
    prefix: string,
    wantPublic: boolean | undefined,
  ): Promise<LayerView | undefined> {
    const [, account = '', layerName = ''] = head.key.split('/');
    if (!layerName.startsWith(prefix)) return undefined;
    if (wantPublic !== undefined && head.value.public !== wantPublic) return undefined;
    const versions = await this.options.documents.list<LayerVersionDocument>(keys.layerVersions(account, layerName), {
      reverse: true,
      limit: 1,
    });
    const record = versions[0]?.value.record;
    return record === undefined ? undefined : this.view({ ...record, public: head.value.public });
  }

  async putAcl(account: string, layerName: string, acl: string): Promise<void> {
    if (acl !== '0' && acl !== '1') throw invalid('acl', `must be '0' (private) or '1' (public), not ${shown(acl)}`);
    for (;;) {
      const head = await this.head(account, layerName);
      const next: LayerDocument = { ...head.value, public: acl === '1' };
      if ((await this.options.documents.put(head.key, next, head.revision)).ok) return;
    }
  }
}

function toVersion(version: string | number): number | undefined {
  const value = typeof version === 'number' ? version : /^\d{1,10}$/.test(version) ? Number(version) : Number.NaN;
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function readFlag(field: string, value: string | undefined): boolean | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw invalid(field, `must be 'true' or 'false', not ${shown(value)}`);
}

function readCompatibleRuntime(reader: FieldReader): string[] {
  const runtimes = reader.strings('compatibleRuntime', { maxItems: 64, item: { min: 1, max: 64 } }) ?? [];
  if (runtimes.length === 0) {
    throw invalid('compatibleRuntime', 'is required but not provided', 'Name every runtime that may use the layer.');
  }
  const unknown = runtimes.find((runtime) => !Object.hasOwn(RUNTIMES, runtime));
  if (unknown !== undefined) throw invalid('compatibleRuntime', `has the unknown runtime ${shown(unknown)}`);
  return [...new Set(runtimes)];
}
