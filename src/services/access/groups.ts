import type { Clock } from '../../core/base/clock.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { GroupRecord, UserRecord } from '../../core/domain/identities.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Directory } from './directory.ts';
import { newDigits } from './ids.ts';
import { checkLength, checkName, checkRoom } from './input.ts';
import { noUser } from './users.ts';

interface GroupsOptions {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
}

/** Groups of users: the policies of a group act on each of its users. Who belongs to it is kept with the users. */
export class Groups {
  private readonly options: GroupsOptions;

  constructor(options: GroupsOptions) {
    this.options = options;
  }

  async create(account: string, name: string, comments: string): Promise<GroupRecord> {
    const { directory, clock, random } = this.options;
    checkName('group', 'GroupName', name);
    checkLength('Comments', comments, 128);
    checkRoom('groups of one account', 'groupsPerAccount', directory.count('group', account), LIMITS.groupsPerAccount);
    const now = clock.now();
    const groupId = `g-${newDigits(random, 16)}`;
    const record: GroupRecord = { account, name, groupId, comments, createdAt: now, updatedAt: now, policies: [] };
    if (await directory.create('group', account, name, record)) return record;
    throw new TidemillError('EntityAlreadyExists.Group', `The group '${name}' exists already`);
  }

  get(account: string, name: string): GroupRecord {
    const record = this.options.directory.get('group', account, name);
    if (record === undefined) throw noGroup(name);
    return record;
  }

  async update(account: string, name: string, comments: string | undefined): Promise<GroupRecord> {
    if (comments !== undefined) checkLength('NewComments', comments, 128);
    const updatedAt = this.options.clock.now();
    const written = await this.options.directory.change('group', account, name, (record) => ({
      ...record,
      comments: comments ?? record.comments,
      updatedAt,
    }));
    if (written === undefined) throw noGroup(name);
    return written;
  }

  delete(account: string, name: string): Promise<void> {
    return this.options.directory.exclusive(account, () => this.remove(account, name));
  }

  private async remove(account: string, name: string): Promise<void> {
    const there = await this.options.directory.remove('group', account, name, (record) => {
      const left = [
        ...record.policies.map((policy) => `the policy ${policy.name}`),
        ...this.users(account, name).map((user) => `the user ${user.name}`),
      ];
      if (left.length === 0) return;
      throw new TidemillError('DeleteConflict.Group', `The group '${name}' has ${left.slice(0, 10).join(', ')}`);
    });
    if (!there) throw noGroup(name);
  }

  addUser(account: string, user: string, group: string): Promise<void> {
    return this.options.directory.exclusive(account, () => this.join(account, user, group));
  }

  private async join(account: string, user: string, group: string): Promise<void> {
    this.get(account, group);
    const joinedAt = this.options.clock.now();
    const written = await this.options.directory.change('user', account, user, (record) => {
      if (record.groups.some((each) => each.name === group)) return undefined;
      checkRoom('groups of one user', 'groupsPerUser', record.groups.length, LIMITS.groupsPerUser);
      return { ...record, groups: [...record.groups, { name: group, joinedAt }] };
    });
    if (written === undefined) throw noUser(user);
  }

  async removeUser(account: string, user: string, group: string): Promise<void> {
    this.get(account, group);
    const written = await this.options.directory.change('user', account, user, (record) => {
      const groups = record.groups.filter((each) => each.name !== group);
      return groups.length === record.groups.length ? undefined : { ...record, groups };
    });
    if (written === undefined) throw noUser(user);
  }

  users(account: string, group: string): readonly UserRecord[] {
    this.get(account, group);
    return this.options.directory.all('user', account).filter((user) => user.groups.some(({ name }) => name === group));
  }
}

function noGroup(name: string): TidemillError {
  return new TidemillError('EntityNotExist.Group', `The group '${name}' does not exist`);
}
