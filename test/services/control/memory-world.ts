import { createHash } from 'node:crypto';
import type { Clock } from '../../../src/core/base/clock.ts';
import { type Disposable, toDisposable } from '../../../src/core/base/disposable.ts';
import { STANDARD_QUOTAS } from '../../../src/core/domain/quota.ts';
import type { Random } from '../../../src/core/base/random.ts';
import type { BlobStore } from '../../../src/core/ports/blob-store.ts';
import type {
  ListOptions,
  MetadataChange,
  MetadataEntry,
  MetadataStore,
  WriteResult,
} from '../../../src/core/ports/metadata-store.ts';
import type { ObjectSource } from '../../../src/core/ports/object-store.ts';
import { type ControlService, createControl } from '../../../src/services/control/control.ts';
import { zipOf } from './zips.ts';

export const ACCOUNT = '1234567890123456';
export const RUNTIMES = [
  { id: 'nodejs20', mapsTo: 'Node.js 20' },
  { id: 'nodejs24', mapsTo: 'Node.js 24' },
  { id: 'python3.10', mapsTo: 'Python 3' },
  { id: 'custom.debian12', mapsTo: 'this machine' },
];

/** What a kill looks like from inside: from some write on, nothing reaches the disk. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

/** A metadata store in memory that can be killed after a number of writes, and that lets a test act just before a write. */
export class MemoryStore implements MetadataStore {
  readonly entries = new Map<string, MetadataEntry>();
  /** Writes still allowed. */
  writesLeft = Number.POSITIVE_INFINITY;
  beforePut: ((key: string) => Promise<void>) | undefined;
  reads = 0;
  private revision = 0;
  private readonly watchers = new Set<{ prefix: string; listener: (change: MetadataChange) => void }>();

  async get(key: string): Promise<MetadataEntry | undefined> {
    this.reads++;
    await turn();
    return this.entries.get(key);
  }

  async put(key: string, value: unknown, expect?: number): Promise<WriteResult> {
    if (!/^[A-Za-z0-9_\-./=]+$/.test(key)) throw new TypeError(`bad key ${key}`);
    await this.beforePut?.(key);
    return this.write(key, expect, (revision) => {
      const entry = { key, value: JSON.parse(JSON.stringify(value)) as unknown, revision };
      this.entries.set(key, entry);
      return { type: 'put', entry };
    });
  }

  async delete(key: string, expect?: number): Promise<WriteResult> {
    if (!this.entries.has(key) && (expect ?? 0) === 0) {
      await turn();
      return { ok: true, revision: 0 };
    }
    return this.write(key, expect, (revision) => {
      this.entries.delete(key);
      return { type: 'delete', key, revision };
    });
  }

  private async write(
    key: string,
    expect: number | undefined,
    apply: (revision: number) => MetadataChange,
  ): Promise<WriteResult> {
    await turn();
    if (this.writesLeft-- <= 0) throw new Killed(key);
    const actual = this.entries.get(key)?.revision ?? 0;
    if (expect !== undefined && expect !== actual) return { ok: false, actual };
    const change = apply(++this.revision);
    for (const watcher of this.watchers) if (key.startsWith(watcher.prefix)) watcher.listener(change);
    return { ok: true, revision: this.revision };
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly MetadataEntry[]> {
    await turn();
    const keys = [...this.entries.keys()].filter((key) => key.startsWith(prefix)).sort();
    if (options.reverse === true) keys.reverse();
    const { after } = options;
    const rest = keys.filter((key) => after === undefined || (options.reverse === true ? key < after : key > after));
    return rest.slice(0, options.limit).map((key) => this.entries.get(key) as MetadataEntry);
  }

  watch(prefix: string, listener: (change: MetadataChange) => void): Disposable {
    const watcher = { prefix, listener };
    this.watchers.add(watcher);
    return toDisposable(() => this.watchers.delete(watcher));
  }

  async close(): Promise<void> {}

  keys(prefix: string): string[] {
    return [...this.entries.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
}

export class MemoryBlobs implements BlobStore {
  readonly blobs = new Map<string, Uint8Array>();
  killed: () => boolean = () => false;

  async put(account: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: string; size: number }> {
    if (!(bytes instanceof Uint8Array)) throw new Error('not needed here');
    await turn();
    if (this.killed()) throw new Killed('blob');
    const digest = createHash('sha256').update(bytes).digest('hex');
    this.blobs.set(`${account}/${digest}`, Uint8Array.from(bytes));
    return { digest, size: bytes.length };
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    return this.blobs.get(id);
  }

  async open(): Promise<undefined> {
    return undefined;
  }

  async has(id: string): Promise<boolean> {
    return this.blobs.has(id);
  }

  async delete(id: string): Promise<void> {
    await turn();
    if (this.killed()) throw new Killed('blob');
    this.blobs.delete(id);
  }

  async *list(): AsyncIterable<string> {
    yield* this.blobs.keys();
  }
}

/** How many turns a storage call takes; tests make it vary, so that concurrent calls interleave in many ways. */
export const latency = { turns: () => 1 };

async function turn(): Promise<void> {
  for (let turns = latency.turns(); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
}

export class TestClock implements Clock {
  wall = Date.UTC(2026, 0, 2);

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.wall;
  }

  after(): Disposable {
    throw new Error('control sets no timers');
  }
}

/** Different bytes every time, the same in every run. */
export class TestRandom implements Random {
  private count = 0;

  bytes(count: number): Uint8Array {
    const seed = createHash('sha512')
      .update(`${this.count++}`)
      .digest();
    return Uint8Array.from({ length: count }, (_, index) => seed[index % seed.length] ?? 0);
  }

  float(): number {
    return 0.5;
  }
}

export class World {
  readonly store = new MemoryStore();
  readonly blobs = new MemoryBlobs();
  readonly clock = new TestClock();
  readonly random = new TestRandom();
  /** `bucket/key` -> bytes; buckets exist when something is in them. */
  readonly objects = new Map<string, Uint8Array>();
  /** Bytes that an object says to have, when that should differ. */
  claimedSize: number | undefined;

  private readonly source: Pick<ObjectSource, 'open' | 'bucket'> = {
    open: async (account, bucket, key) => {
      const bytes = account === ACCOUNT ? this.objects.get(`${bucket}/${key}`) : undefined;
      if (bytes === undefined) return undefined;
      const body = (async function* () {
        yield bytes;
      })();
      const size = this.claimedSize ?? bytes.length;
      return {
        body,
        info: {
          bucket,
          key,
          size,
          etag: '',
          crc64: '',
          contentType: '',
          systemHeaders: {},
          userMeta: {},
          lastModified: 0,
        },
      };
    },
    bucket: async (name) => {
      const there = [...this.objects.keys()].some((key) => key.startsWith(`${name}/`));
      return there ? { name, account: ACCOUNT, createdAt: 0 } : undefined;
    },
  };

  /** Control over what is stored now; again after a kill. */
  start(): Promise<ControlService> {
    this.store.writesLeft = Number.POSITIVE_INFINITY;
    this.blobs.killed = () => this.store.writesLeft <= 0;
    return createControl({
      store: this.store,
      blobs: this.blobs,
      // Control opens objects and looks at buckets, nothing else.
      objects: this.source as ObjectSource,
      clock: this.clock,
      random: this.random,
      region: 'local',
      quotas: { of: () => STANDARD_QUOTAS },
      runtimes: RUNTIMES,
    });
  }
}

export async function startWorld(): Promise<{ world: World } & ControlService> {
  const world = new World();
  return { world, ...(await world.start()) };
}

/** A valid CreateFunction body; the zip differs with `content`. */
export async function functionInput(
  functionName: string,
  extra: Readonly<Record<string, unknown>> = {},
  content = 'x',
): Promise<Record<string, unknown>> {
  const zip = await zipOf({ 'index.js': content });
  return {
    functionName,
    runtime: 'nodejs20',
    handler: 'index.handler',
    code: { zipFile: zip.toString('base64') },
    ...extra,
  };
}
