import type { Clock } from '../../core/base/clock.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { RoleRecord } from '../../core/domain/identities.ts';
import { LIMITS } from '../../core/domain/limits.ts';

import type { RoleDetails } from '../../core/ports/identities.ts';
import type { Directory } from './directory.ts';
import { newDigits } from './ids.ts';
import { checkLength, checkName, checkRoom, invalid } from './input.ts';
import { trustOf } from './policy-documents.ts';

interface RolesOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
}

const DESCRIPTION_MAX = 1_024;

/** RAM roles: what users, other accounts and functions act as for a while. */
export class Roles {
  private readonly options: RolesOptions;

  constructor(options: RolesOptions) {
    this.options = options;
  }

  async create(account: string, name: string, details: RoleDetails & { readonly trust: string }): Promise<RoleRecord> {
    const { directory, clock, random } = this.options;
    checkName('role', 'RoleName', name);
    const { trust, ...patch } = checked({ ...details, trust: details.trust });
    checkRoom('roles of one account', 'rolesPerAccount', directory.count('role', account), LIMITS.rolesPerAccount);
    const now = clock.now();
    const record: RoleRecord = {
      account,
      name,
      roleId: newDigits(random, 18),
      description: '',
      trust: trust ?? details.trust,
      maxSessionSeconds: LIMITS.roleSessionDefaultSeconds,
      ...patch,
      createdAt: now,
      updatedAt: now,
      policies: [],
      sessionsAfter: 0,
    };
    if (await directory.create('role', account, name, record)) return record;
    throw new TidemillError('EntityAlreadyExists.Role', `The role '${name}' exists already`);
  }

  get(account: string, name: string): RoleRecord {
    const record = this.options.directory.get('role', account, name);
    if (record === undefined) throw noRole(name);
    return record;
  }

  update(account: string, name: string, details: RoleDetails): Promise<RoleRecord> {
    const patch = checked(details);
    return this.change(account, name, patch);
  }

  revokeSessions(account: string, name: string): Promise<RoleRecord> {
    return this.change(account, name, { sessionsAfter: this.options.clock.now() });
  }

  async delete(account: string, name: string): Promise<void> {
    const there = await this.options.directory.remove('role', account, name, (record) => {
      if (record.policies.length === 0) return;
      const left = record.policies.map((policy) => policy.name).join(', ');
      throw new TidemillError('DeleteConflict.Role.Policy', `The role '${name}' has the policies ${left}`);
    });
    if (!there) throw noRole(name);
  }

  private async change(account: string, name: string, patch: Partial<RoleRecord>): Promise<RoleRecord> {
    const updatedAt = this.options.clock.now();
    const written = await this.options.directory.change('role', account, name, (record) => ({
      ...record,
      ...patch,
      updatedAt,
    }));
    if (written === undefined) throw noRole(name);
    return written;
  }
}

export function noRole(name: string): TidemillError {
  return new TidemillError('EntityNotExist.Role', `The role '${name}' does not exist`);
}

function checked({ description, trust, maxSessionSeconds }: RoleDetails): Partial<RoleRecord> {
  if (trust !== undefined) trustOf(trust);
  const least = LIMITS.roleSessionDefaultSeconds;
  const most = LIMITS.roleSessionMaxSeconds;
  if (
    maxSessionSeconds !== undefined &&
    !(Number.isInteger(maxSessionSeconds) && maxSessionSeconds >= least && maxSessionSeconds <= most)
  ) {
    throw invalid('MaxSessionDuration', `must be a whole number from ${least} to ${most}`);
  }
  return {
    ...(description === undefined ? {} : { description: checkLength('Description', description, DESCRIPTION_MAX) }),
    ...(trust === undefined ? {} : { trust }),
    ...(maxSessionSeconds === undefined ? {} : { maxSessionSeconds }),
  };
}
