import type { Clock } from '../../core/base/clock.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { UserRecord } from '../../core/domain/identities.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { UserDetails } from '../../core/ports/identities.ts';
import type { Directory } from './directory.ts';
import { newDigits } from './ids.ts';
import { checkLength, checkName, checkRoom } from './input.ts';

interface UsersOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
}

/** RAM users. */
export class Users {
  private readonly options: UsersOptions;

  constructor(options: UsersOptions) {
    this.options = options;
  }

  async create(account: string, name: string, details: UserDetails): Promise<UserRecord> {
    const { directory, clock, random } = this.options;
    checkName('user', 'UserName', name);
    checkRoom('users of one account', 'usersPerAccount', directory.count('user', account), LIMITS.usersPerAccount);
    const now = clock.now();
    const record: UserRecord = {
      account,
      name,
      userId: newDigits(random, 18),
      displayName: name,
      comments: '',
      email: '',
      mobilePhone: '',
      ...checked(details),
      createdAt: now,
      updatedAt: now,
      keys: [],
      policies: [],
      groups: [],
    };
    if (await directory.create('user', account, name, record)) return record;
    throw new TidemillError('EntityAlreadyExists.User', `The user '${name}' exists already`);
  }

  get(account: string, name: string): UserRecord {
    const record = this.options.directory.get('user', account, name);
    if (record === undefined) throw noUser(name);
    return record;
  }

  async update(account: string, name: string, details: UserDetails): Promise<UserRecord> {
    const updatedAt = this.options.clock.now();
    const patch = checked(details);
    const written = await this.options.directory.change('user', account, name, (record) => ({
      ...record,
      ...patch,
      updatedAt,
    }));
    if (written === undefined) throw noUser(name);
    return written;
  }

  async delete(account: string, name: string): Promise<void> {
    const there = await this.options.directory.remove('user', account, name, (record) => {
      const left = [
        ...record.keys.map((key) => `the key ${key.accessKeyId}`),
        ...record.policies.map((policy) => `the policy ${policy.name}`),
        ...record.groups.map((group) => `the group ${group.name}`),
      ];
      if (left.length > 0) throw new TidemillError('DeleteConflict.User', `The user '${name}' has ${left.join(', ')}`);
    });
    if (!there) throw noUser(name);
  }
}

export function noUser(name: string): TidemillError {
  return new TidemillError('EntityNotExist.User', `The user '${name}' does not exist`);
}

/** The details that were given. */
function checked(details: UserDetails): Partial<UserRecord> {
  const { displayName, comments, email, mobilePhone } = details;
  return {
    ...(displayName === undefined ? {} : { displayName: checkLength('DisplayName', displayName, 128) }),
    ...(comments === undefined ? {} : { comments: checkLength('Comments', comments, 128) }),
    ...(email === undefined ? {} : { email: checkLength('Email', email, 128) }),
    ...(mobilePhone === undefined ? {} : { mobilePhone: checkLength('MobilePhone', mobilePhone, 32) }),
  };
}
