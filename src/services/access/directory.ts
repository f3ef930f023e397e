import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import { KeyedLock } from '../../core/base/keyed-lock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AccountRecord, GroupRecord, PolicyRecord, RoleRecord, UserRecord } from '../../core/domain/identities.ts';
import type { MetadataChange, MetadataStore } from '../../core/ports/metadata-store.ts';

/** A document with the revision it was read at; `value` is undefined once it was deleted. Stays the same object over changes. */
export interface Held<T> {
  value: T | undefined;
  revision: number;
}

interface Kinds {
  readonly account: AccountRecord;
  readonly user: UserRecord;
  readonly group: GroupRecord;
  readonly role: RoleRecord;
  readonly policy: PolicyRecord;
}

export type Kind = keyof Kinds;

/** Something was written or removed. */
export interface DirectoryChange {
  readonly kind: Kind;
  readonly account: string;
  readonly name: string;
}

/** `i/ACCOUNT/KIND/NAME`; role names in lower case. The account itself is `i/ACCOUNT/account/self`. */
const PREFIX = 'i/';
const PAGE = 500;
/** How often a change is tried again after another writer was faster. */
const ATTEMPTS = 8;

/**
 * All accounts and identities, in memory as the metadata store has them: a signature is checked and a decision taken without waiting.
 * A write resolves when memory has it.
 */
export class Directory {
  private readonly store: MetadataStore;
  private readonly documents = new Map<string, Held<unknown>>();
  private readonly names = new Map<string, Set<string>>();
  private readonly changes = new Emitter<DirectoryChange>();
  private readonly waiting = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  /** Changes of one document come one after the other: only other servers can be faster. */
  private readonly locks = new KeyedLock();
  private readonly subscription: Disposable;
  private seen = 0;
  /** Revisions of what was deleted while the first pages were read: they may still hold it. Undefined: all are read. */
  private deleted: Map<string, number> | undefined = new Map();

  /** Resolves when everything is in memory. */
  static async open(store: MetadataStore): Promise<Directory> {
    const directory = new Directory(store);
    let after: string | undefined;
    for (;;) {
      const page = await store.list(PREFIX, { limit: PAGE, ...(after === undefined ? {} : { after }) });
      for (const { key, value, revision } of page) directory.take(key, value, revision);
      after = page.at(-1)?.key;
      if (after !== undefined && page.length === PAGE) continue;
      directory.deleted = undefined;
      return directory;
    }
  }

  private constructor(store: MetadataStore) {
    this.store = store;
    this.subscription = store.watch(PREFIX, (change) => this.follow(change));
  }

  dispose(): void {
    this.subscription.dispose();
  }

  /** Told after memory has the change. */
  onChange(listener: (change: DirectoryChange) => void): Disposable {
    return this.changes.subscribe(listener);
  }

  get<K extends Kind>(kind: K, account: string, name: string): Kinds[K] | undefined {
    return this.held(kind, account, name)?.value;
  }

  /** The document's place in memory, which later changes reach; undefined when nothing is there. */
  held<K extends Kind>(kind: K, account: string, name: string): Held<Kinds[K]> | undefined {
    const held = this.documents.get(keyOf(kind, account, name)) as Held<Kinds[K]> | undefined;
    return held?.value === undefined ? undefined : held;
  }

  /** In the order of their names. */
  all<K extends Kind>(kind: K, account: string): readonly Kinds[K][] {
    const names = [...(this.names.get(`${account}/${kind}`) ?? [])].sort();
    return names.flatMap((name) => this.get(kind, account, name) ?? []);
  }

  count(kind: Kind, account: string): number {
    return this.names.get(`${account}/${kind}`)?.size ?? 0;
  }

  accounts(): readonly AccountRecord[] {
    const found: AccountRecord[] = [];
    for (const [group, names] of this.names) {
      if (!group.endsWith('/account') || names.size === 0) continue;
      const record = this.get('account', group.slice(0, -'/account'.length), SELF);
      if (record !== undefined) found.push(record);
    }
    return found.sort((a, b) => a.createdAt - b.createdAt || (a.account < b.account ? -1 : 1));
  }

  /** One at a time for each account, for what looks at one document and writes another: no attachment to what is being deleted. */
  exclusive<T>(account: string, work: () => Promise<T>): Promise<T> {
    return this.locks.run(account, work);
  }

  /** False: something of this name is there already. */
  async create<K extends Kind>(kind: K, account: string, name: string, value: Kinds[K]): Promise<boolean> {
    const written = await this.store.put(keyOf(kind, account, name), value, 0);
    if (written.ok) await this.reached(written.revision);
    return written.ok;
  }

  /**
   * Writes what `change` makes of the document, which it may be asked for again when another writer was faster; undefined leaves it as
   * it is. Resolves to the document as it is then; undefined when there is none.
   */
  change<K extends Kind>(
    kind: K,
    account: string,
    name: string,
    change: (value: Kinds[K]) => Kinds[K] | undefined,
  ): Promise<Kinds[K] | undefined> {
    return this.locks.run(keyOf(kind, account, name), () => this.swap(kind, account, name, change));
  }

  private async swap<K extends Kind>(
    kind: K,
    account: string,
    name: string,
    change: (value: Kinds[K]) => Kinds[K] | undefined,
  ): Promise<Kinds[K] | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const held = this.held(kind, account, name);
      if (held?.value === undefined) return undefined;
      const next = change(held.value);
      if (next === undefined) return held.value;
      const written = await this.store.put(keyOf(kind, account, name), next, held.revision);
      await this.reached(written.ok ? written.revision : written.actual);
      if (written.ok) return next;
    }
    throw new TidemillError('ConcurrentUpdateError', `${kind} '${name}' is being changed by others all the time`);
  }

  /** Removes the document if it is still the one that `check` does not throw for. False: there was none. */
  async remove<K extends Kind>(
    kind: K,
    account: string,
    name: string,
    check: (value: Kinds[K]) => void = () => {},
  ): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const held = this.held(kind, account, name);
      if (held?.value === undefined) return false;
      check(held.value);
      const written = await this.store.delete(keyOf(kind, account, name), held.revision);
      await this.reached(written.ok ? written.revision : written.actual);
      if (written.ok) return true;
    }
    throw new TidemillError('ConcurrentUpdateError', `${kind} '${name}' is being changed by others all the time`);
  }

  private follow(change: MetadataChange): void {
    if (change.type === 'put') this.take(change.entry.key, change.entry.value, change.entry.revision);
    else this.take(change.key, undefined, change.revision);
    this.seen = Math.max(this.seen, change.type === 'put' ? change.entry.revision : change.revision);
    for (const each of this.waiting) {
      if (each.revision > this.seen) continue;
      this.waiting.delete(each);
      each.resolve();
    }
  }

  /** Resolves when memory has everything up to the revision. */
  private reached(revision: number): Promise<void> {
    if (revision <= this.seen) return Promise.resolve();
    return new Promise((resolve) => this.waiting.add({ revision, resolve }));
  }

  private take(key: string, value: unknown, revision: number): void {
    const [, account = '', kind = '', name = ''] = key.split('/');
    const known = this.documents.get(key);
    if ((known?.revision ?? this.deleted?.get(key) ?? 0) >= revision) return;
    const group = `${account}/${kind}`;
    let names = this.names.get(group);
    if (names === undefined) this.names.set(group, (names = new Set()));
    if (value === undefined) {
      names.delete(name);
      this.documents.delete(key);
      this.deleted?.set(key, revision);
      if (known !== undefined) Object.assign(known, { value, revision });
    } else {
      names.add(name);
      if (known === undefined) this.documents.set(key, { value, revision });
      else Object.assign(known, { value, revision });
    }
    this.changes.emit({ kind: kind as Kind, account, name });
  }
}

/** Name of an account's own document below the account. */
export const SELF = 'self';

function keyOf(kind: Kind, account: string, name: string): string {
  return `${PREFIX}${account}/${kind}/${kind === 'role' ? name.toLowerCase() : name}`;
}
