import type { Disposable } from '../../core/base/disposable.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { CodePackage } from '../../core/domain/function.ts';
import type { Quotas } from '../../core/ports/accounts.ts';
import type { AccountUsage } from '../../core/ports/control.ts';
import type { MetadataChange } from '../../core/ports/metadata-store.ts';
import type { DocumentStore } from './document-store.ts';
import { keys } from './keys.ts';

/** What is about to be added to an account. */
interface Wanted {
  readonly functions?: number;
  readonly code?: CodePackage | undefined;
}

/** What an account has, kept up to date once somebody asked: a page of memory for each thousand functions. */
class Tally {
  functions = 0;
  bytes = 0;
  private readonly packages = new Map<string, { readonly size: number; uses: number }>();
  private readonly owners = new Map<string, string>();

  has(digest: string): boolean {
    return this.packages.has(digest);
  }

  put(key: string, code: CodePackage): void {
    const before = this.owners.get(key);
    if (before === code.digest) return;
    if (before === undefined) this.functions += key.startsWith('f/') ? 1 : 0;
    else this.unuse(before);
    this.owners.set(key, code.digest);
    const known = this.packages.get(code.digest);
    if (known !== undefined) known.uses++;
    else {
      this.packages.set(code.digest, { size: code.size, uses: 1 });
      this.bytes += code.size;
    }
  }

  delete(key: string): void {
    const digest = this.owners.get(key);
    if (digest === undefined) return;
    this.owners.delete(key);
    if (key.startsWith('f/')) this.functions--;
    this.unuse(digest);
  }

  private unuse(digest: string): void {
    const known = this.packages.get(digest);
    if (known === undefined || --known.uses > 0) return;
    this.packages.delete(digest);
    this.bytes -= known.size;
  }
}

/** What accounts use of their quotas of functions and code, and who may add to it. */
export class AccountUse {
  private readonly documents: DocumentStore;
  private readonly quotas: Pick<Quotas, 'of'>;
  private readonly tallies = new Map<string, { readonly tally: Tally; readonly loaded: Promise<void> }>();
  /** Being added this moment: two that come at once must not both take the last place. */
  private readonly adding = new Map<string, { functions: number; bytes: number }>();
  private readonly subscription: Disposable;

  constructor(documents: DocumentStore, quotas: Pick<Quotas, 'of'>) {
    this.documents = documents;
    this.quotas = quotas;
    this.subscription = documents.onChange((change) => this.follow(change));
  }

  dispose(): void {
    this.subscription.dispose();
  }

  async of(account: string): Promise<AccountUsage> {
    const { functions, bytes } = await this.tally(account);
    return { functions, codeBytes: bytes };
  }

  /** Runs `work`, which adds what is wanted. Throws LimitExceededError, naming the quota, when that is more than the account may have. */
  async admit<T>(account: string, wanted: Wanted, work: () => Promise<T>): Promise<T> {
    const tally = await this.tally(account);
    const { code } = wanted;
    const functions = wanted.functions ?? 0;
    const bytes = code === undefined || tally.has(code.digest) ? 0 : code.size;
    const adding = this.adding.get(account) ?? { functions: 0, bytes: 0 };
    const quotas = this.quotas.of(account);
    if (functions > 0 && tally.functions + adding.functions + functions > quotas.functions) {
      throw over('functions', quotas.functions, 'functions');
    }
    if (bytes > 0 && tally.bytes + adding.bytes + bytes > quotas.codeBytes) {
      throw over('codeBytes', quotas.codeBytes, 'bytes of code');
    }
    this.adding.set(account, adding);
    adding.functions += functions;
    adding.bytes += bytes;
    try {
      return await work();
    } finally {
      adding.functions -= functions;
      adding.bytes -= bytes;
      if (adding.functions === 0 && adding.bytes === 0) this.adding.delete(account);
    }
  }

  private async tally(account: string): Promise<Tally> {
    let known = this.tallies.get(account);
    if (known === undefined) {
      const tally = new Tally();
      known = { tally, loaded: this.load(account, tally) };
      this.tallies.set(account, known);
      known.loaded.catch(() => this.tallies.delete(account));
    }
    await known.loaded;
    return known.tally;
  }

  private async load(account: string, tally: Tally): Promise<void> {
    for (const prefix of [keys.functionsOf(account), keys.versionsOf(account), keys.layersOf(account)]) {
      for await (const { key } of this.documents.scan<unknown>(prefix)) {
        // Read once more: a change that came between the page and now is in the tally already, or is seen here.
        const now = await this.documents.read<{ readonly record: { readonly code: CodePackage } }>(key);
        if (now !== undefined) tally.put(key, now.value.record.code);
      }
    }
  }

  private follow(change: MetadataChange): void {
    const key = change.type === 'put' ? change.entry.key : change.key;
    if (!/^[fvl]\//.test(key)) return;
    const tally = this.tallies.get(key.split('/')[1] ?? '')?.tally;
    if (change.type === 'delete') tally?.delete(key);
    else tally?.put(key, (change.entry.value as { readonly record: { readonly code: CodePackage } }).record.code);
  }
}

function over(quota: string, most: number, what: string): TidemillError {
  return new TidemillError('LimitExceededError', `the account may have ${most} ${what} (quota ${quota})`, {
    remedy: 'Delete what is not needed, or ask the operator to raise the quota of the account.',
  });
}
