import type { Clock } from '../../core/base/clock.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Random } from '../../core/base/random.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AccountRecord } from '../../core/domain/identities.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { type AccountQuotas, isQuotaName, QUOTA_NAMES, type QuotaName } from '../../core/domain/quota.ts';
import type { AccountStates, Accounts, Quotas } from '../../core/ports/accounts.ts';
import type { NewAccessKey } from '../../core/ports/identities.ts';
import type { AccessKeys } from './access-keys.ts';
import { type Directory, SELF } from './directory.ts';
import { newDigits } from './ids.ts';
import { checkRoom, invalid } from './input.ts';

interface AccountsOptions {
  readonly directory: Directory;
  readonly keys: AccessKeys;
  readonly clock: Clock;
  readonly random: Random;
  /** The account of installation.json. */
  readonly firstAccount: string;
  /** What every account may use that has no number of its own. */
  readonly standard: AccountQuotas;
  /** A key of an account that is deleted: what is remembered of it may go. */
  readonly forgetKey: (accessKeyId: string) => Promise<void>;
  /** What an account still owns outside this service, in words; empty: nothing. */
  readonly contents: (account: string) => Promise<readonly string[]>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/;
const QUOTA_MAX = 2 ** 50;

/** See Accounts, Quotas and AccountStates. */
export class AccountDirectory implements Accounts, Quotas, AccountStates {
  private readonly options: AccountsOptions;
  private readonly active = new Set<string>();
  private readonly quotas = new Map<string, { readonly record: AccountRecord; readonly numbers: AccountQuotas }>();
  private readonly changed = new Emitter<string>();

  constructor(options: AccountsOptions) {
    this.options = options;
    for (const record of options.directory.accounts()) this.take(record.account, record);
    options.directory.onChange(({ kind, account }) => {
      if (kind === 'account') this.take(account, options.directory.get('account', account, SELF));
    });
  }

  /** Makes the record of the first account, unless it is there. */
  async begin(): Promise<void> {
    const { directory, firstAccount } = this.options;
    if (directory.get('account', firstAccount, SELF) === undefined) {
      await directory.create('account', firstAccount, SELF, this.fresh(firstAccount, 'operator'));
    }
  }

  isOperator(principal: Principal): boolean {
    return principal.kind === 'root' && principal.account === this.options.firstAccount;
  }

  isActive(account: string): boolean {
    return this.active.has(account);
  }

  of(account: string): AccountQuotas {
    return this.quotas.get(account)?.numbers ?? this.options.standard;
  }

  onChange(listener: (account: string) => void): Disposable {
    return this.changed.subscribe(listener);
  }

  list(): readonly AccountRecord[] {
    const { directory, firstAccount } = this.options;
    const all = directory.accounts();
    const isFirst = (record: AccountRecord): boolean => record.account === firstAccount;
    return [...all.filter(isFirst), ...all.filter((record) => !isFirst(record))];
  }

  get(account: string): AccountRecord {
    const record = this.options.directory.get('account', account, SELF);
    if (record === undefined) throw noAccount(account);
    return record;
  }

  async create(name: string): Promise<{ readonly record: AccountRecord; readonly key: NewAccessKey }> {
    if (!NAME.test(name))
      throw invalid('name', 'must have 1 to 64 letters, digits, spaces, periods, hyphens, underscores');
    const { directory, keys, random } = this.options;
    const most = LIMITS.accountsPerInstallation;
    checkRoom('accounts of this installation', 'accountsPerInstallation', directory.accounts().length, most);
    const account = `1${newDigits(random, 15)}`;
    if (!(await directory.create('account', account, SELF, this.fresh(account, name)))) {
      throw new Error(`the account id ${account} was drawn twice`);
    }
    const key = await keys.create({ account, user: undefined });
    return { record: this.get(account), key };
  }

  async setStatus(account: string, status: AccountRecord['status']): Promise<AccountRecord> {
    this.refuseFirst(account, 'disabled');
    return this.change(account, (record) => ({ ...record, status }));
  }

  async delete(account: string): Promise<void> {
    this.refuseFirst(account, 'deleted');
    const { directory, contents } = this.options;
    const { status } = this.get(account);
    refuseContents(account, await contents(account));
    // Nothing new comes from here on; what came until now is looked for once more.
    await this.change(account, (record) => ({ ...record, status: 'disabled' }));
    const left = await contents(account);
    if (left.length > 0) await this.change(account, (record) => ({ ...record, status }));
    refuseContents(account, left);
    const keys = [...this.get(account).keys, ...directory.all('user', account).flatMap((user) => user.keys)];
    for (const { accessKeyId } of keys) await this.options.forgetKey(accessKeyId);
    for (const kind of ['user', 'group', 'role', 'policy'] as const) {
      for (const { name } of directory.all(kind, account)) await directory.remove(kind, account, name);
    }
    await directory.remove('account', account, SELF);
  }

  async setQuotas(
    account: string,
    quotas: Readonly<Partial<Record<QuotaName, number | undefined>>>,
  ): Promise<AccountRecord> {
    for (const [name, value] of Object.entries(quotas)) {
      if (!isQuotaName(name)) throw invalid(name, `is no quota; known are ${QUOTA_NAMES.join(', ')}`);
      if (value === undefined) continue;
      if (!Number.isInteger(value) || value < 0 || value > QUOTA_MAX) {
        throw invalid(name, 'must be a whole number from 0');
      }
    }
    return this.change(account, (record) => {
      const merged: [string, number][] = [];
      for (const [name, value] of Object.entries({ ...record.quotas, ...quotas })) {
        if (value !== undefined) merged.push([name, value]);
      }
      return { ...record, quotas: Object.fromEntries(merged) };
    });
  }

  private async change(account: string, change: (record: AccountRecord) => AccountRecord): Promise<AccountRecord> {
    const written = await this.options.directory.change('account', account, SELF, change);
    if (written === undefined) throw noAccount(account);
    return written;
  }

  private refuseFirst(account: string, what: string): void {
    if (account !== this.options.firstAccount) return;
    throw new TidemillError('InvalidArgument', `The first account cannot be ${what}: it is the operator's`);
  }

  private fresh(account: string, name: string): AccountRecord {
    return { account, name, status: 'active', createdAt: this.options.clock.now(), keys: [], quotas: {} };
  }

  private take(account: string, record: AccountRecord | undefined): void {
    if (record?.status === 'active') this.active.add(account);
    else this.active.delete(account);
    const before = this.quotas.get(account);
    if (record === undefined) this.quotas.delete(account);
    else if (before === undefined || JSON.stringify(before.record.quotas) !== JSON.stringify(record.quotas)) {
      this.quotas.set(account, { record, numbers: { ...this.options.standard, ...record.quotas } });
    } else return;
    this.changed.emit(account);
  }
}

function refuseContents(account: string, left: readonly string[]): void {
  if (left.length === 0) return;
  throw new TidemillError('AccountNotEmpty', `The account '${account}' has ${left.join(', ')}`);
}

function noAccount(account: string): TidemillError {
  return new TidemillError('AccountNotFound', `The account '${account.slice(0, 40)}' does not exist`);
}
