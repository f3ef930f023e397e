import type { Clock } from '../../core/base/clock.ts';
import type { Random } from '../../core/base/random.ts';
import { type Principal, rootPrincipal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { type AccessKeyRecord, type AccessKeyStatus, userArn } from '../../core/domain/identities.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { KeyOwner, NewAccessKey } from '../../core/ports/identities.ts';
import type { KnownKey } from '../../core/ports/identity.ts';
import { type Directory, type DirectoryChange, SELF } from './directory.ts';
import { newAccessKey } from './ids.ts';
import { checkRoom } from './input.ts';
import type { SecretBox } from './secret-box.ts';

/** An active key in memory. Its secret is opened when it is first used. */
interface ActiveKey {
  readonly record: AccessKeyRecord;
  readonly principal: Principal;
  known: KnownKey | undefined;
}

interface AccessKeysOptions {
  readonly directory: Directory;
  readonly secrets: SecretBox;
  readonly clock: Clock;
  readonly random: Random;
}

/** Long-lived access keys of users and of the roots of accounts. A key that is disabled, or whose account is, is not known. */
export class AccessKeys {
  private readonly options: AccessKeysOptions;
  private readonly active = new Map<string, ActiveKey>();
  /** Ids of active keys by owner: what a change may take away. */
  private readonly owned = new Map<string, readonly string[]>();

  constructor(options: AccessKeysOptions) {
    this.options = options;
    const { directory } = options;
    for (const { account } of directory.accounts()) this.reload(account);
    directory.onChange((change) => this.follow(change));
  }

  find(accessKeyId: string): KnownKey | undefined {
    const key = this.active.get(accessKeyId);
    if (key === undefined) return undefined;
    key.known ??= {
      secret: this.options.secrets.open(key.record.sealedSecret, contextOf(key.principal.account, accessKeyId)),
      principal: key.principal,
    };
    return key.known;
  }

  list(owner: KeyOwner): readonly AccessKeyRecord[] {
    return this.recordOf(owner).keys;
  }

  async create(owner: KeyOwner): Promise<NewAccessKey> {
    const { clock, random, secrets } = this.options;
    const { accessKeyId, accessKeySecret } = newAccessKey(random);
    const sealedSecret = secrets.seal(accessKeySecret, contextOf(owner.account, accessKeyId));
    const record: AccessKeyRecord = { accessKeyId, sealedSecret, status: 'Active', createdAt: clock.now() };
    await this.change(owner, (keys) => {
      checkRoom('access keys of one user', 'accessKeysPerUser', keys.length, LIMITS.accessKeysPerUser);
      return [...keys, record];
    });
    return { record, accessKeySecret };
  }

  async setStatus(owner: KeyOwner, accessKeyId: string, status: AccessKeyStatus): Promise<void> {
    await this.change(owner, (keys) => {
      requireKey(keys, accessKeyId);
      return keys.map((key) => (key.accessKeyId === accessKeyId ? { ...key, status } : key));
    });
  }

  async delete(owner: KeyOwner, accessKeyId: string): Promise<void> {
    await this.change(owner, (keys) => {
      requireKey(keys, accessKeyId);
      return keys.filter((key) => key.accessKeyId !== accessKeyId);
    });
  }

  /** Throws EntityNotExist.User.AccessKey unless the owner has the key. */
  require(owner: KeyOwner, accessKeyId: string): AccessKeyRecord {
    return requireKey(this.recordOf(owner).keys, accessKeyId);
  }

  private recordOf({ account, user }: KeyOwner): { readonly keys: readonly AccessKeyRecord[] } {
    const { directory } = this.options;
    const record = user === undefined ? directory.get('account', account, SELF) : directory.get('user', account, user);
    if (record === undefined) throw noOwner(user);
    return record;
  }

  private async change(
    { account, user }: KeyOwner,
    change: (keys: readonly AccessKeyRecord[]) => readonly AccessKeyRecord[],
  ): Promise<void> {
    const { directory } = this.options;
    const written =
      user === undefined
        ? await directory.change('account', account, SELF, (record) => ({ ...record, keys: change(record.keys) }))
        : await directory.change('user', account, user, (record) => ({ ...record, keys: change(record.keys) }));
    if (written === undefined) throw noOwner(user);
  }

  private follow({ kind, account, name }: DirectoryChange): void {
    if (kind === 'account') this.reload(account);
    else if (kind === 'user') this.reloadOwner({ account, user: name });
  }

  private reload(account: string): void {
    this.reloadOwner({ account, user: undefined });
    for (const { name } of this.options.directory.all('user', account)) this.reloadOwner({ account, user: name });
  }

  private reloadOwner(owner: KeyOwner): void {
    const { account, user } = owner;
    const { directory } = this.options;
    const ownerKey = `${account}/${user ?? ''}`;
    const before = new Map<string, ActiveKey>();
    for (const id of this.owned.get(ownerKey) ?? []) {
      const key = this.active.get(id);
      if (key !== undefined) before.set(id, key);
      this.active.delete(id);
    }
    this.owned.delete(ownerKey);
    const holder = directory.get('account', account, SELF);
    const record = user === undefined ? holder : directory.get('user', account, user);
    if (holder?.status !== 'active' || record === undefined) return;
    const ids: string[] = [];
    for (const key of record.keys) {
      if (key.status !== 'Active') continue;
      // The same key gives the same principal over changes that are none of its business.
      const same = before.get(key.accessKeyId);
      const principal = same?.principal ?? principalOf(owner);
      this.active.set(key.accessKeyId, same ?? { record: key, principal, known: undefined });
      ids.push(key.accessKeyId);
    }
    this.owned.set(ownerKey, ids);
  }
}

function principalOf({ account, user }: KeyOwner): Principal {
  if (user === undefined) return rootPrincipal(account);
  return { account, kind: 'user', arn: userArn(account, user), name: user };
}

/** Binds a sealed secret to its key. */
function contextOf(account: string, accessKeyId: string): string {
  return `${account}/${accessKeyId}`;
}

function requireKey(keys: readonly AccessKeyRecord[], accessKeyId: string): AccessKeyRecord {
  const key = keys.find((each) => each.accessKeyId === accessKeyId);
  if (key !== undefined) return key;
  throw new TidemillError('EntityNotExist.User.AccessKey', `The access key '${accessKeyId}' does not exist`);
}

function noOwner(user: string | undefined): TidemillError {
  return user === undefined
    ? new TidemillError('AccountNotFound', 'The account does not exist')
    : new TidemillError('EntityNotExist.User', `The user '${user}' does not exist`);
}
