import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fromBufferPromise, openPromise, type ZipFile } from 'yauzl';
import type { Clock } from '../../core/base/clock.ts';
import { newLetters } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { CodePackage } from '../../core/domain/function.ts';
import { type BlobStore, blobId } from '../../core/ports/blob-store.ts';
import type { CodeCache, CodeFolder, CodePathKind } from '../../core/ports/code-cache.ts';
import { mergeFolders } from './folder-merge.ts';
import { GreedyDual } from './greedy-dual.ts';
import { type Unpacked, unpackZip, unreadableArchive } from './zip-unpacker.ts';

export interface CodeFoldersOptions {
  /** Made when missing; belongs to one cache alone. */
  readonly folder: string;
  readonly blobs: BlobStore;
  /** Bytes of disk for folders; more is used only while everything is held by instances. */
  readonly budgetBytes: number;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Logger;
  /** Identifies this boot of the machine; default is the kernel's own. */
  readonly bootId?: string;
}

interface Entry {
  readonly key: string;
  /** DATA/code/<key>: `tree` is the content, `meta.json` its size and what it cost. */
  readonly folder: string;
  readonly bytes: number;
  /** Milliseconds that making it took. */
  readonly costMs: number;
  holders: number;
  uses: number;
  /** The least one is evicted first. */
  priority: number;
}

/** Accounts share no folder, even of the same bytes: a start that is quicker than it should be would tell that another has them. */
function folderName({ owner, digest }: CodePackage): string {
  return `${owner}-${digest}`;
}

/** Archives up to this size are unpacked from memory; larger ones go through a temporary file. */
const IN_MEMORY_BYTES = 8 * 1024 * 1024;
const TEMPORARY = 'tmp-';
const BOOT_FILE = 'boot';

/**
 * The code cache in a folder: `<folder>/<owner>-<digest>/tree`, put in place by one rename. Nothing is synced to disk: a killed
 * process loses nothing, and after a restart of the machine the cache starts empty, since its files may be incomplete.
 */
export class CodeFolders implements CodeCache {
  private readonly options: CodeFoldersOptions;
  private readonly entries = new Map<string, Entry>();
  private readonly making = new Map<string, Promise<Entry>>();
  private readonly removals = new Set<Promise<void>>();
  private readonly greedyDual = new GreedyDual();
  private totalBytes = 0;

  private constructor(options: CodeFoldersOptions) {
    this.options = options;
  }

  /** Sweeps what a killed process left and takes over the complete folders. */
  static async open(options: CodeFoldersOptions): Promise<CodeFolders> {
    const cache = new CodeFolders(options);
    await mkdir(options.folder, { recursive: true, mode: 0o755 });
    const bootId = options.bootId ?? (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown'));
    const bootFile = join(options.folder, BOOT_FILE);
    const trusted = (await readFile(bootFile, 'utf8').catch(() => '')) === bootId;
    for (const name of await readdir(options.folder)) {
      if (name !== BOOT_FILE) await cache.takeOver(name, trusted);
    }
    if (!trusted) await writeFile(bootFile, bootId);
    return cache;
  }

  package(code: CodePackage): Promise<CodeFolder> {
    return this.obtain(folderName(code), (target) => this.unpack(code, target));
  }

  layers(codes: readonly CodePackage[]): Promise<CodeFolder> {
    const [first, ...others] = codes;
    if (first === undefined) throw new RangeError('layers() needs at least one package');
    if (others.length === 0) return this.package(first);
    const key = `layers-${createHash('sha256').update(codes.map(folderName).join('\n')).digest('hex')}`;
    return this.obtain(key, (target) => this.merge(codes, target));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.making.values());
    await Promise.all(this.removals);
  }

  private async takeOver(name: string, trusted: boolean): Promise<void> {
    const folder = join(this.options.folder, name);
    const meta = trusted && !name.startsWith(TEMPORARY) ? await readMeta(folder) : undefined;
    if (meta === undefined) {
      await rm(folder, { recursive: true, force: true });
      return;
    }
    this.add(name, folder, meta.bytes, meta.costMs);
  }

  private async obtain(key: string, fill: (target: string) => Promise<Unpacked>): Promise<CodeFolder> {
    for (;;) {
      const entry = this.entries.get(key);
      if (entry !== undefined) return this.hold(entry);
      let making = this.making.get(key);
      if (making === undefined) {
        making = this.make(key, fill).finally(() => this.making.delete(key));
        this.making.set(key, making);
      }
      // The folder may be evicted again before this caller runs: then it is made once more.
      await making;
    }
  }

  private hold(entry: Entry): CodeFolder {
    entry.holders++;
    entry.uses++;
    entry.priority = this.greedyDual.priority(entry.uses, entry.costMs, entry.bytes);
    let held = true;
    const path = join(entry.folder, 'tree');
    return {
      path,
      look: (relativePath) => lookInside(path, relativePath),
      release: () => {
        if (!held) return;
        held = false;
        entry.holders--;
        this.evict(undefined);
      },
    };
  }

  private async make(key: string, fill: (target: string) => Promise<Unpacked>): Promise<Entry> {
    const temporary = this.temporaryPath();
    const folder = join(this.options.folder, key);
    const begin = this.options.clock.monotonic();
    try {
      const tree = join(temporary, 'tree');
      await mkdir(tree, { recursive: true, mode: 0o755 });
      // mkdir's mode is narrowed by the umask, and other users have to pass.
      await chmod(temporary, 0o755);
      const { bytes } = await fill(tree);
      await openFolders(tree);
      const costMs = this.options.clock.monotonic() - begin;
      await writeFile(join(temporary, 'meta.json'), JSON.stringify({ bytes, costMs }));
      await rename(temporary, folder);
      const entry = this.add(key, folder, bytes, costMs);
      this.evict(entry);
      return entry;
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  private add(key: string, folder: string, bytes: number, costMs: number): Entry {
    const priority = this.greedyDual.priority(1, costMs, bytes);
    const entry: Entry = { key, folder, bytes, costMs, holders: 0, uses: 0, priority };
    this.entries.set(key, entry);
    this.totalBytes += bytes;
    return entry;
  }

  private async unpack(code: CodePackage, target: string): Promise<Unpacked> {
    const blob = await this.options.blobs.open(blobId(code));
    if (blob === undefined) {
      throw new TidemillError('InternalServerError', `the code package ${code.digest} is not in the blob store`, {
        remedy: 'Deploy the function again; the stored package was lost.',
      });
    }
    const spool = this.temporaryPath();
    let zip: ZipFile | undefined;
    try {
      if (blob.size <= IN_MEMORY_BYTES) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of blob.body) chunks.push(chunk);
        zip = await readable(fromBufferPromise(Buffer.concat(chunks), ZIP_OPTIONS));
      } else {
        await pipeline(blob.body, createWriteStream(spool, { flags: 'wx', mode: 0o600 }));
        zip = await readable(openPromise(spool, ZIP_OPTIONS));
      }
      return await unpackZip(zip, blob.size, target);
    } finally {
      zip?.close();
      await rm(spool, { force: true });
    }
  }

  private async merge(codes: readonly CodePackage[], target: string): Promise<Unpacked> {
    const held = await Promise.allSettled(codes.map((code) => this.package(code)));
    try {
      const folders = held.map((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value.path;
      });
      return await mergeFolders(folders, target);
    } finally {
      for (const result of held) if (result.status === 'fulfilled') result.value.release();
    }
  }

  /** Removes folders that nobody holds, the least worth keeping first, until the budget is kept. */
  private evict(newcomer: Entry | undefined): void {
    while (this.totalBytes > this.options.budgetBytes) {
      const candidates = [...this.entries.values()].filter((entry) => entry.holders === 0 && entry !== newcomer);
      const victim = this.greedyDual.victim(candidates);
      if (victim === undefined) return;
      this.entries.delete(victim.key);
      this.totalBytes -= victim.bytes;
      this.removeInBackground(victim);
    }
  }

  private removeInBackground(entry: Entry): void {
    const temporary = this.temporaryPath();
    const removal = (async () => {
      await rename(entry.folder, temporary);
      await rm(temporary, { recursive: true, force: true });
    })()
      .catch((error: unknown) => {
        this.options.log.log('warn', 'an evicted code folder could not be removed', {
          folder: entry.folder,
          error: String(error),
        });
      })
      .finally(() => this.removals.delete(removal));
    this.removals.add(removal);
    // A new unpack of the same package must not meet the old folder.
    const waiting = removal.then(() => entry);
    this.making.set(entry.key, waiting);
    void waiting.finally(() => this.making.delete(entry.key));
  }

  private temporaryPath(): string {
    return join(this.options.folder, `${TEMPORARY}${newLetters(this.options.random, 16)}`);
  }
}

const ZIP_OPTIONS = { autoClose: false, validateEntrySizes: true, strictFileNames: true } as const;

async function readable(opening: Promise<ZipFile>): Promise<ZipFile> {
  try {
    return await opening;
  } catch (error) {
    throw unreadableArchive(error);
  }
}

async function readMeta(folder: string): Promise<{ readonly bytes: number; readonly costMs: number } | undefined> {
  try {
    const meta: unknown = JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8'));
    if (typeof meta !== 'object' || meta === null || !('bytes' in meta)) return undefined;
    const costMs = 'costMs' in meta && typeof meta.costMs === 'number' ? meta.costMs : 0;
    return typeof meta.bytes === 'number' ? { bytes: meta.bytes, costMs } : undefined;
  } catch {
    return undefined;
  }
}

/** Opens every folder below `path` to all users, whatever the umask made of them. */
async function openFolders(path: string): Promise<void> {
  await chmod(path, 0o755);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await openFolders(join(path, entry.name));
  }
}

async function lookInside(folder: string, relativePath: string): Promise<CodePathKind> {
  try {
    const root = await realpath(folder);
    const real = await realpath(join(root, relativePath));
    if (real !== root && !real.startsWith(root + sep)) return 'missing';
    const found = await stat(real);
    if (found.isDirectory()) return 'folder';
    return (found.mode & 0o111) === 0 ? 'file' : 'executable';
  } catch {
    return 'missing';
  }
}
