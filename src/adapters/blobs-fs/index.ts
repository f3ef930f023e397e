import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemillError } from '../../core/domain/errors.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';
import type { Vault } from '../../core/ports/vault.ts';

export interface BlobStoreOptions {
  /** The folder that holds the blobs; made if it is missing. Several processes may use it at the same time. */
  readonly dir: string;
  /** Seals the blobs. Without it they are written in the clear: for tests and benches. */
  readonly vault?: Vault;
}

const ID = /^([A-Za-z0-9_-]{1,64})\/([0-9a-f]{64})$/;
const ACCOUNT = /^[A-Za-z0-9_-]{1,64}$/;
const TEMPORARY = 'incoming';
const KEPT = 'accounts';
/** A temporary file untouched for this long belongs to nobody any more, milliseconds. */
const ABANDONED_MS = 3_600_000;

/**
 * Blobs as files `<account>/<first two digits>/<digest>`. A blob is written aside, synced, renamed into place and its folder synced,
 * so a name never shows less than the whole blob, whatever is killed when. A full disk rejects `put` and leaves nothing.
 */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  const { dir, vault } = options;
  await mkdir(join(dir, TEMPORARY), { recursive: true });
  await mkdir(join(dir, KEPT), { recursive: true });
  await syncFolder(dir);
  await removeAbandoned(join(dir, TEMPORARY));
  return new FileBlobStore(dir, vault);
}

class FileBlobStore implements BlobStore {
  private readonly dir: string;
  private readonly vault: Vault | undefined;
  /** Folders that are there, with their name on disk. */
  private readonly folders = new Set<string>();

  constructor(dir: string, vault: Vault | undefined) {
    this.dir = dir;
    this.vault = vault;
  }

  async put(account: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: string; size: number }> {
    if (!ACCOUNT.test(account)) throw new TypeError(`'${account}' cannot name an account's blobs`);
    await this.vault?.ready(account);
    const temporary = join(this.dir, TEMPORARY, randomUUID());
    const measured = new Measured(bytes instanceof Uint8Array ? pieces(bytes) : bytes);
    try {
      await writeSynced(temporary, this.vault === undefined ? measured : this.vault.sealStream(account, measured));
      const written = measured.result();
      const folder = await this.folderOf(account, written.digest);
      // Also when the blob is there already: the same bytes again heal a damaged file.
      await rename(temporary, join(folder, written.digest));
      await syncFolder(folder);
      return written;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    const found = await this.open(id);
    if (found === undefined) return undefined;
    const bytes = new Uint8Array(found.size);
    let offset = 0;
    for await (const chunk of found.body) {
      // A file that grew is damaged as well; `body` says so at its end.
      if (offset + chunk.byteLength <= bytes.byteLength) bytes.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return bytes;
  }

  async open(id: string): Promise<{ size: number; body: AsyncIterable<Uint8Array> } | undefined> {
    const [, account, digest] = ID.exec(id) ?? [];
    if (account === undefined || digest === undefined) return undefined;
    const path = this.pathOf(id);
    const found = await missingAsUndefined(stat(path));
    if (found === undefined) return undefined;
    const { vault } = this;
    if (vault === undefined) return { size: found.size, body: verified(read(path), digest) };
    await vault.ready(account);
    // A file that no blob can be as long as is damaged: reading it says so.
    return { size: vault.plainSize(found.size) ?? 0, body: verified(vault.openStream(account, read(path)), digest) };
  }

  async has(id: string): Promise<boolean> {
    if (!ID.test(id)) return false;
    return (await missingAsUndefined(access(this.pathOf(id), constants.F_OK).then(() => true))) ?? false;
  }

  async delete(id: string): Promise<void> {
    if (ID.test(id)) await missingAsUndefined(unlink(this.pathOf(id)));
  }

  async *list(): AsyncIterable<string> {
    const kept = join(this.dir, KEPT);
    for (const account of (await readdir(kept)).sort()) {
      for (const shard of (await readdir(join(kept, account))).sort()) {
        for (const name of (await readdir(join(kept, account, shard))).sort()) {
          const id = `${account}/${name}`;
          if (ID.test(id)) yield id;
        }
      }
    }
  }

  private pathOf(id: string): string {
    const [account = '', digest = ''] = id.split('/');
    return join(this.dir, KEPT, account, digest.slice(0, 2), digest);
  }

  private async folderOf(account: string, digest: string): Promise<string> {
    const parent = join(this.dir, KEPT, account);
    const folder = join(parent, digest.slice(0, 2));
    if (this.folders.has(folder)) return folder;
    await mkdir(folder, { recursive: true });
    await syncFolder(join(this.dir, KEPT));
    await syncFolder(parent);
    this.folders.add(folder);
    return folder;
  }
}

/** Passes bytes on and takes their digest and size on the way. */
class Measured implements AsyncIterable<Uint8Array> {
  private readonly source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  private readonly hash = createHash('sha256');
  private size = 0;

  constructor(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.source = source;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for await (const chunk of this.source) {
      this.hash.update(chunk);
      this.size += chunk.byteLength;
      yield chunk;
    }
  }

  /** Once, when everything has passed. */
  result(): { digest: string; size: number } {
    return { digest: this.hash.digest('hex'), size: this.size };
  }
}

async function writeSynced(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of bytes) await writeAll(file, chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Hashing a large buffer at once would hold up everything else on this thread. */
function* pieces(bytes: Uint8Array): Iterable<Uint8Array> {
  const size = 1024 * 1024;
  for (let start = 0; start < bytes.byteLength; start += size) yield bytes.subarray(start, start + size);
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.byteLength) offset += (await file.write(bytes, offset)).bytesWritten;
}

/** Opened when reading begins, so that a body nobody reads holds no descriptor. */
async function* read(path: string): AsyncIterable<Uint8Array> {
  yield* createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
}

async function* verified(body: AsyncIterable<Uint8Array>, digest: string): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
  verify(digest, hash.digest('hex'));
}

function verify(expected: string, actual: string): void {
  if (actual === expected) return;
  throw new TidemillError('InternalServerError', `blob ${expected} is damaged: its bytes have the digest ${actual}`, {
    remedy: 'Upload the same code again: that replaces the damaged file. Then check the disk.',
  });
}

async function missingAsUndefined<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await missingAsUndefined(stat(path));
    // File times are the kernel's, so they are compared with the machine's own clock.
    if (found !== undefined && found.mtimeMs < Date.now() - ABANDONED_MS) await rm(path, { force: true });
  }
}
