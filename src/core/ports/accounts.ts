import type { Disposable } from '../base/disposable.ts';
import type { Principal } from '../domain/credentials.ts';
import type { AccountRecord } from '../domain/identities.ts';
import type { AccountQuotas, QuotaName } from '../domain/quota.ts';
import type { NewAccessKey } from './identities.ts';

/** The accounts of the installation. Only the operator, the root of the first account, may see and change them. */
export interface Accounts {
  isOperator(principal: Principal): boolean;
  /** The first one first. */
  list(): readonly AccountRecord[];
  /** AccountNotFound. */
  get(account: string): AccountRecord;
  /** A new account with a key of its root. */
  create(name: string): Promise<{ readonly record: AccountRecord; readonly key: NewAccessKey }>;
  /** From then on none of its keys and credentials is taken and none of its functions runs. The first account cannot be disabled. */
  setStatus(account: string, status: AccountRecord['status']): Promise<AccountRecord>;
  /** AccountNotEmpty while it owns functions, layers or buckets; its users, roles and policies go with it. */
  delete(account: string): Promise<void>;
  /** Sets quotas of one account; undefined sets one back to the limits table. */
  setQuotas(account: string, quotas: Readonly<Partial<Record<QuotaName, number | undefined>>>): Promise<AccountRecord>;
}

/** What accounts may use. Synchronous: asked before every piece of work. */
export interface Quotas {
  /** The same object until the account's quotas change. */
  of(account: string): AccountQuotas;
  /** Told with the account whose quotas changed. */
  onChange(listener: (account: string) => void): Disposable;
}

/** Which accounts may act. */
export interface AccountStates {
  /** False: disabled, or no account of this installation. Synchronous: asked with every call. */
  isActive(account: string): boolean;
}
