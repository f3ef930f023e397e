import { LRUCache } from 'lru-cache';
import type { Disposable } from '../../core/base/disposable.ts';
import { DisposableStore } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type {
  ListOptions,
  MetadataChange,
  MetadataEntry,
  MetadataStore,
  WriteResult,
} from '../../core/ports/metadata-store.ts';

export interface Document<T> {
  readonly key: string;
  readonly value: T;
  readonly revision: number;
}

/** What is known about a key without asking the store: `value` undefined = it does not exist. */
interface Known {
  readonly value: unknown;
  readonly revision: number;
}

const ABSENT_CAPACITY = 4_096;
const WATCHED = ['f/', 'v/', 'a/', 't/', 'e/', 'd/', 's/', 'l/'] as const;

/**
 * The metadata store with a bounded cache over what invocations read. Writes go through to the store and are seen by the next
 * cached read; changes by others arrive through watches. A change never makes the cache grow: only reads do. Absent keys have
 * a small cache of their own, so that calls to names that do not exist push nothing useful out.
 *
 * Types: each key prefix holds one type of document (keys.ts, documents.ts); this class is where that trust is placed.
 */
export class DocumentStore {
  private readonly store: MetadataStore;
  private readonly present: LRUCache<string, Known>;
  private readonly absent = new LRUCache<string, Known>({ max: ABSENT_CAPACITY });
  /** Loads under way; a change that overtakes one replaces its outcome. */
  private readonly loading = new Map<string, { overtaken: Known | undefined; result: Promise<Known> }>();
  private readonly changes = new Emitter<MetadataChange>();
  private readonly owned = new DisposableStore();

  constructor(store: MetadataStore, capacity: number) {
    this.store = store;
    this.present = new LRUCache({ max: capacity });
    for (const prefix of WATCHED) this.owned.add(store.watch(prefix, (change) => this.follow(change)));
  }

  /** Every change under the watched prefixes, once, in order, after the cache knows it. */
  onChange(listener: (change: MetadataChange) => void): Disposable {
    return this.changes.subscribe(listener);
  }

  dispose(): void {
    this.owned.dispose();
  }

  /** From memory if known. `undefined`: not known; `null`: known not to exist. */
  peek<T>(key: string): T | null | undefined {
    const known = this.present.get(key);
    if (known !== undefined) return known.value as T;
    return this.absent.has(key) ? null : undefined;
  }

  /** From memory, else from the store. */
  async cached<T>(key: string): Promise<T | undefined> {
    const known = this.peek<T>(key);
    if (known !== undefined) return known ?? undefined;
    const running = this.loading.get(key);
    return (await (running?.result ?? this.load(key))).value as T | undefined;
  }

  private load(key: string): Promise<Known> {
    const state: { overtaken: Known | undefined; result: Promise<Known> } = {
      overtaken: undefined,
      result: this.store
        .get(key)
        .then((entry) => {
          const found: Known = entry ?? { value: undefined, revision: 0 };
          const { overtaken } = state;
          const known = overtaken !== undefined && overtaken.revision > found.revision ? overtaken : found;
          this.remember(key, known);
          return known;
        })
        .finally(() => this.loading.delete(key)),
    };
    this.loading.set(key, state);
    return state.result;
  }

  private remember(key: string, known: Known): void {
    if (known.value === undefined) {
      this.present.delete(key);
      this.absent.set(key, known);
    } else {
      this.absent.delete(key);
      this.present.set(key, known);
    }
  }

  /** Takes a change into the cache, if the key is in it or being loaded and the change is news. */
  private learn(key: string, next: Known): void {
    const load = this.loading.get(key);
    if (load !== undefined && (load.overtaken === undefined || load.overtaken.revision < next.revision)) {
      load.overtaken = next;
    }
    const known = this.present.peek(key) ?? this.absent.peek(key);
    if (known !== undefined && known.revision < next.revision) this.remember(key, next);
  }

  private follow(change: MetadataChange): void {
    if (change.type === 'put') this.learn(change.entry.key, change.entry);
    else this.learn(change.key, { value: undefined, revision: change.revision });
    this.changes.emit(change);
  }

  /** Straight from the store, for read-modify-write. */
  async read<T>(key: string): Promise<Document<T> | undefined> {
    return typed<T>(await this.store.get(key));
  }

  async list<T>(prefix: string, options?: ListOptions): Promise<readonly Document<T>[]> {
    return (await this.store.list(prefix, options)) as readonly Document<T>[];
  }

  /** Every document below a prefix, in key order, fetched page by page; `after` is a key to start behind. */
  async *scan<T>(
    prefix: string,
    options: { after?: string | undefined; pageSize?: number } = {},
  ): AsyncGenerator<Document<T>> {
    const pageSize = options.pageSize ?? 200;
    let after = options.after;
    for (;;) {
      const page = await this.list<T>(prefix, { limit: pageSize, ...(after === undefined ? {} : { after }) });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = last.key;
    }
  }

  async put(key: string, value: unknown, expect?: number): Promise<WriteResult> {
    const result = await this.store.put(key, value, expect);
    if (result.ok) this.learn(key, { value, revision: result.revision });
    return result;
  }

  async delete(key: string, expect?: number): Promise<WriteResult> {
    const result = await this.store.delete(key, expect);
    if (result.ok) this.learn(key, { value: undefined, revision: result.revision });
    return result;
  }
}

function typed<T>(entry: MetadataEntry | undefined): Document<T> | undefined {
  return entry as Document<T> | undefined;
}
