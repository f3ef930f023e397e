import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemillError } from '../../core/domain/errors.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';

export interface BlobStoreOptions {
  /** The folder that holds the blobs; made if it is missing. Several processes may use it at the same time. */
  readonly dir: string;
}

const DIGEST = /^[0-9a-f]{64}$/;
const TEMPORARY = 'incoming';
/** A temporary file untouched for this long belongs to nobody any more, milliseconds. */
const ABANDONED_MS = 3_600_000;

/**
 * Blobs as files `<first two digits>/<digest>`. A blob is written aside, synced, renamed into place and its folder synced,
 * so a name never shows less than the whole blob, whatever is killed when. A full disk rejects `put` and leaves nothing.
 */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  const { dir } = options;
  await mkdir(join(dir, TEMPORARY), { recursive: true });
  for (let shard = 0; shard < 256; shard++) {
    await mkdir(join(dir, shard.toString(16).padStart(2, '0')), { recursive: true });
  }
  await syncFolder(dir);
  await removeAbandoned(join(dir, TEMPORARY));
  return new FileBlobStore(dir);
}

class FileBlobStore implements BlobStore {
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  async put(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: string; size: number }> {
    const temporary = join(this.dir, TEMPORARY, randomUUID());
    try {
      const written = await writeSynced(temporary, bytes);
      // Also when the blob is there already: the same bytes again heal a damaged file.
      await rename(temporary, this.pathOf(written.digest));
      await syncFolder(join(this.dir, written.digest.slice(0, 2)));
      return written;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async get(digest: string): Promise<Uint8Array | undefined> {
    const found = await this.open(digest);
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

  async open(digest: string): Promise<{ size: number; body: AsyncIterable<Uint8Array> } | undefined> {
    if (!DIGEST.test(digest)) return undefined;
    const found = await missingAsUndefined(stat(this.pathOf(digest)));
    return found === undefined ? undefined : { size: found.size, body: readVerified(this.pathOf(digest), digest) };
  }

  async has(digest: string): Promise<boolean> {
    if (!DIGEST.test(digest)) return false;
    return (await missingAsUndefined(access(this.pathOf(digest), constants.F_OK).then(() => true))) ?? false;
  }

  async delete(digest: string): Promise<void> {
    if (DIGEST.test(digest)) await missingAsUndefined(unlink(this.pathOf(digest)));
  }

  async *list(): AsyncIterable<string> {
    for (const shard of (await readdir(this.dir)).sort()) {
      if (!/^[0-9a-f]{2}$/.test(shard)) continue;
      for (const name of (await readdir(join(this.dir, shard))).sort()) {
        if (DIGEST.test(name)) yield name;
      }
    }
  }

  private pathOf(digest: string): string {
    return join(this.dir, digest.slice(0, 2), digest);
  }
}

async function writeSynced(
  path: string,
  bytes: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of bytes instanceof Uint8Array ? pieces(bytes) : bytes) {
      hash.update(chunk);
      size += chunk.byteLength;
      await writeAll(file, chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { digest: hash.digest('hex'), size };
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

async function* readVerified(path: string, digest: string): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  // Opened when reading begins, so that a body nobody reads holds no descriptor.
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
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
