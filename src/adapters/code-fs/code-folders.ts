import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fromBufferPromise, openPromise, type ZipFile } from 'yauzl';
import { newLetters } from '../../core/base/ids.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { CodePackage } from '../../core/domain/function.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';
import type { CodeCache, CodeFolder, CodePathKind } from '../../core/ports/code-cache.ts';
import { mergeFolders } from './folder-merge.ts';
import { type Unpacked, unpackZip, unreadableArchive } from './zip-unpacker.ts';

export interface CodeFoldersOptions {
  /** Made when missing; belongs to one cache alone. */
  readonly folder: string;
  readonly blobs: BlobStore;
  /** Bytes of disk for folders; more is used only while everything is held by instances. */
  readonly budgetBytes: number;
  readonly random: Random;
  readonly log: Logger;
  /** Identifies this boot of the machine; default is the kernel's own. */
  readonly bootId?: string;
}

interface Entry {
  readonly key: string;
  /** DATA/code/<key>: `tree` is the content, `meta.json` its size. */
  readonly folder: string;
  readonly bytes: number;
  holders: number;
  /** Grows with every use: the least one is evicted first. */
  used: number;
}

/** Archives up to this size are unpacked from memory; larger ones go through a temporary file. */
const IN_MEMORY_BYTES = 8 * 1024 * 1024;
const TEMPORARY = 'tmp-';
const BOOT_FILE = 'boot';

/**
 * The code cache in a folder: `<folder>/<digest>/tree`, put in place by one rename. Nothing is synced to disk: a killed
 * process loses nothing, and after a restart of the machine the cache starts empty, since its files may be incomplete.
 */
export class CodeFolders implements CodeCache {
  private readonly options: CodeFoldersOptions;
  private readonly entries = new Map<string, Entry>();
  private readonly making = new Map<string, Promise<Entry>>();
  private readonly removals = new Set<Promise<void>>();
  private uses = 0;
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
    return this.obtain(code.digest, (target) => this.unpack(code, target));
  }

  layers(codes: readonly CodePackage[]): Promise<CodeFolder> {
    const [first, ...others] = codes;
    if (first === undefined) throw new RangeError('layers() needs at least one package');
    if (others.length === 0) return this.package(first);
    const key = `layers-${createHash('sha256')
      .update(codes.map((code) => code.digest).join('\n'))
      .digest('hex')}`;
    return this.obtain(key, (target) => this.merge(codes, target));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.making.values());
    await Promise.all(this.removals);
  }

  private async takeOver(name: string, trusted: boolean): Promise<void> {
    const folder = join(this.options.folder, name);
    const bytes = trusted && !name.startsWith(TEMPORARY) ? await readSize(folder) : undefined;
    if (bytes === undefined) {
      await rm(folder, { recursive: true, force: true });
      return;
    }
    this.entries.set(name, { key: name, folder, bytes, holders: 0, used: this.uses++ });
    this.totalBytes += bytes;
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
    entry.used = this.uses++;
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
    try {
      const tree = join(temporary, 'tree');
      await mkdir(tree, { recursive: true, mode: 0o755 });
      // mkdir's mode is narrowed by the umask, and other users have to pass.
      await chmod(temporary, 0o755);
      const { bytes } = await fill(tree);
      await openFolders(tree);
      await writeFile(join(temporary, 'meta.json'), JSON.stringify({ bytes }));
      await rename(temporary, folder);
      const entry: Entry = { key, folder, bytes, holders: 0, used: this.uses++ };
      this.entries.set(key, entry);
      this.totalBytes += bytes;
      this.evict(entry);
      return entry;
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  private async unpack(code: CodePackage, target: string): Promise<Unpacked> {
    const blob = await this.options.blobs.open(code.digest);
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

  /** Removes the least recently used folders that nobody holds until the budget is kept. */
  private evict(newcomer: Entry | undefined): void {
    while (this.totalBytes > this.options.budgetBytes) {
      let oldest: Entry | undefined;
      for (const entry of this.entries.values()) {
        if (entry.holders > 0 || entry === newcomer) continue;
        if (oldest === undefined || entry.used < oldest.used) oldest = entry;
      }
      if (oldest === undefined) return;
      this.entries.delete(oldest.key);
      this.totalBytes -= oldest.bytes;
      this.removeInBackground(oldest);
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

async function readSize(folder: string): Promise<number | undefined> {
  try {
    const meta: unknown = JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8'));
    if (typeof meta !== 'object' || meta === null || !('bytes' in meta)) return undefined;
    return typeof meta.bytes === 'number' ? meta.bytes : undefined;
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
