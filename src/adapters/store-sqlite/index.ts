import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { BatchThread } from '../../core/base/batch-thread.ts';
import type { Clock } from '../../core/base/clock.ts';
import { type Disposable, toDisposable } from '../../core/base/disposable.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type {
  ListOptions,
  MetadataChange,
  MetadataEntry,
  MetadataStore,
  WriteResult,
} from '../../core/ports/metadata-store.ts';
import type { Vault } from '../../core/ports/vault.ts';
import { openForReading, openForWriting } from './database.ts';
import { SealedValues } from './sealed-values.ts';
import { startThread } from '../sqlite/node-thread.ts';
import type { StoreWrite } from './writer-worker.ts';

export interface MetadataStoreOptions {
  /** The database file; `-wal` and `-shm` files stand beside it. One store at a time may have it open for writing. */
  readonly path: string;
  /** Unused by this adapter: revisions, not times, order its entries. Taken so that all stores open alike. */
  readonly clock?: Clock;
  /** Seals the values; the keys, which are names, stay readable. Without it all is written in the clear: for tests and benches. */
  readonly vault?: Vault;
}

interface Watcher {
  readonly prefix: string;
  readonly listener: (change: MetadataChange) => void;
}

const KEY = /^[A-Za-z0-9_\-./=]+$/;

/**
 * The metadata store on SQLite. Writes go to one thread that commits whatever is waiting in one synced transaction; reads
 * are answered on the caller's thread from a second connection, which sees only what is on disk. Watchers are told before
 * the promise of the write resolves. Rejects with InternalServerError when the file cannot be opened.
 */
export async function openMetadataStore(options: MetadataStoreOptions): Promise<MetadataStore> {
  const { path, vault } = options;
  const values = vault === undefined ? undefined : new SealedValues(vault);
  const failure = (message: string) =>
    new TidemillError('InternalServerError', `the metadata store ${path} failed: ${message}`);
  if (values !== undefined) await sealEarlier(path, values, failure);
  const writer = await BatchThread.start<StoreWrite>({
    thread: startThread(import.meta.url, 'writer-worker', { path }),
    defer: setImmediate,
    encode: (calls) => ({ calls }),
    failure,
    maxCalls: 1000,
    maxWeight: 8 * 1024 * 1024,
  });
  return new SqliteMetadataStore(writer, openForReading(path), values, failure);
}

async function sealEarlier(path: string, values: SealedValues, failure: (message: string) => Error): Promise<void> {
  let db: DatabaseSync | undefined;
  try {
    db = openForWriting(path);
    await values.sealAll(db);
  } catch (error) {
    throw failure(error instanceof Error ? error.message : String(error));
  } finally {
    db?.close();
  }
}

class SqliteMetadataStore implements MetadataStore {
  private readonly writer: BatchThread<StoreWrite>;
  private readonly db: DatabaseSync;
  private readonly values: SealedValues | undefined;
  private readonly failure: (message: string) => Error;
  private readonly one: StatementSync;
  private readonly ascending: StatementSync;
  private readonly descending: StatementSync;
  private readonly watchers = new Set<Watcher>();

  constructor(
    writer: BatchThread<StoreWrite>,
    db: DatabaseSync,
    values: SealedValues | undefined,
    failure: (message: string) => Error,
  ) {
    this.writer = writer;
    this.db = db;
    this.values = values;
    this.failure = failure;
    this.one = db.prepare('SELECT key, value, revision FROM entries WHERE key = ?');
    const range = 'SELECT key, value, revision FROM entries WHERE key >= ? AND key < ?';
    this.ascending = db.prepare(`${range} ORDER BY key LIMIT ?`);
    this.descending = db.prepare(`${range} ORDER BY key DESC LIMIT ?`);
  }

  async get(key: string): Promise<MetadataEntry | undefined> {
    const row = this.reading(() => this.one.get(key));
    if (row === undefined) return undefined;
    await this.values?.ready([key]);
    return this.toEntry(row);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly MetadataEntry[]> {
    const { after, reverse = false, limit = -1 } = options;
    // Characters of keys lie between `-` and `z`: `\x7f` stands above every key with the prefix, `\x01` right after a key.
    let low = prefix;
    let high = `${prefix}\x7f`;
    if (after !== undefined && reverse && after < high) high = after;
    if (after !== undefined && !reverse && after >= low) low = `${after}\x01`;
    const rows = this.reading(() => (reverse ? this.descending : this.ascending).all(low, high, limit));
    await this.values?.ready(rows.map((row) => String(row['key'])));
    return rows.map((row) => this.toEntry(row));
  }

  async put(key: string, value: unknown, expect?: number): Promise<WriteResult> {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`the value of ${key} is not JSON data`);
    return await this.write({ key, text, expect });
  }

  async delete(key: string, expect?: number): Promise<WriteResult> {
    return await this.write({ key, text: undefined, expect });
  }

  watch(prefix: string, listener: (change: MetadataChange) => void): Disposable {
    const watcher = { prefix, listener };
    this.watchers.add(watcher);
    return toDisposable(() => this.watchers.delete(watcher));
  }

  async close(): Promise<void> {
    await this.writer.close();
    if (this.db.isOpen) this.db.close();
  }

  private async write(write: StoreWrite): Promise<WriteResult> {
    const { key, text } = write;
    if (!KEY.test(key)) throw new TypeError(`"${key}" is not a key: use A-Z a-z 0-9 _ - . / =`);
    const wait = this.values?.ready([key]);
    if (wait !== undefined) await wait; // without one, writes keep the order they were asked for in
    const stored =
      this.values === undefined || text === undefined ? write : { ...write, text: this.values.seal(key, text) };
    return this.writer.call<WriteResult, WriteResult>(stored, key.length + (stored.text?.length ?? 0), (result) => {
      if (result.ok && result.revision > 0) this.announce(write, result.revision);
      return result;
    });
  }

  private announce(write: StoreWrite, revision: number): void {
    const { key, text } = write;
    let change: MetadataChange | undefined;
    for (const watcher of this.watchers) {
      if (!key.startsWith(watcher.prefix)) continue;
      change ??=
        text === undefined
          ? { type: 'delete', key, revision }
          : { type: 'put', entry: { key, value: JSON.parse(text), revision } };
      try {
        watcher.listener(change);
      } catch (error) {
        // A bug of the listener: it must be seen, but the write stands and the other watchers are owed the change.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  private toEntry(row: Record<string, unknown>): MetadataEntry {
    const key = String(row['key']);
    const stored = String(row['value']);
    const text = this.values === undefined ? stored : this.values.open(key, stored);
    return { key, value: JSON.parse(text), revision: Number(row['revision']) };
  }

  private reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.failure(error instanceof Error ? error.message : String(error));
    }
  }
}
