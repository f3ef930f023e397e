import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Crc64 } from '../../core/base/crc64.ts';
import { toHex } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { ExpectedDigests } from '../../core/ports/object-store.ts';

const READ_BYTES = 256 * 1024;

/** A content file on disk, not yet referred to by metadata. */
export interface WrittenContent {
  readonly id: string;
  readonly size: number;
  /** Hex. */
  readonly md5: string;
  readonly crc64: string;
}

export interface Piece {
  readonly content: string;
  readonly size: number;
}

/**
 * Immutable files with random names: `content/<first two digits>/<id>`. A file is complete and synced before it gets there.
 * Readers pin what they read; a file discarded while pinned goes when the last reader leaves.
 */
export class ContentFiles {
  private readonly contentDir: string;
  private readonly incomingDir: string;
  private readonly random: Random;
  private readonly pins = new Map<string, number>();
  private readonly discarded = new Set<string>();
  private readonly unlinking = new Set<Promise<void>>();

  constructor(dir: string, random: Random) {
    this.contentDir = join(dir, 'content');
    this.incomingDir = join(dir, 'incoming');
    this.random = random;
    mkdirSync(this.contentDir, { recursive: true, mode: 0o700 });
    for (let byte = 0; byte < 256; byte++) {
      mkdirSync(join(this.contentDir, byte.toString(16).padStart(2, '0')), { recursive: true, mode: 0o700 });
    }
    syncFolder(this.contentDir);
    syncFolder(dir);
    rmSync(this.incomingDir, { recursive: true, force: true });
    mkdirSync(this.incomingDir, { mode: 0o700 });
  }

  /**
   * Streams `body` to a new content file, holding one chunk at a time. Rejects with BadDigest when the bytes do not have the
   * digests announced, or with the body's own error; then nothing is left.
   */
  async write(body: AsyncIterable<Uint8Array>, expected: ExpectedDigests): Promise<WrittenContent> {
    const id = toHex(this.random.bytes(16));
    const incoming = join(this.incomingDir, id);
    const file = await open(incoming, 'wx', 0o600);
    try {
      const written = { id, ...(await fill(file, body, expected)) };
      await file.datasync();
      await file.close();
      await rename(incoming, this.path(id));
      await syncFolderAsync(join(this.contentDir, id.slice(0, 2)));
      return written;
    } catch (error) {
      await file.close().catch(() => undefined);
      await unlink(incoming).catch(ignoreMissing);
      await unlink(this.path(id)).catch(ignoreMissing);
      throw error;
    }
  }

  /** Keeps the files readable until the function returned is called (once). */
  pin(pieces: readonly Piece[]): () => void {
    for (const { content } of pieces) this.pins.set(content, (this.pins.get(content) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      for (const { content } of pieces) this.unpin(content);
    };
  }

  /** Streams bytes `start`..`end` (inclusive) of the pieces joined. The pieces must be pinned. */
  async *read(pieces: readonly Piece[], start: number, end: number): AsyncGenerator<Uint8Array> {
    let offset = 0;
    for (const piece of pieces) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, piece.size - 1);
      offset += piece.size;
      if (from <= to) yield* this.readFile(piece.content, from, to);
      if (offset > end) return;
    }
  }

  /** Removes a file that no metadata refers to, now or when its last reader leaves. */
  discard(id: string): void {
    if (this.pins.has(id)) {
      this.discarded.add(id);
      return;
    }
    const removal: Promise<void> = unlink(this.path(id))
      .catch(() => {}) // what the disk does not let go now is swept at the next start
      .finally(() => this.unlinking.delete(removal));
    this.unlinking.add(removal);
  }

  /** Resolves when the removals under way are done. */
  async settle(): Promise<void> {
    await Promise.all(this.unlinking);
  }

  /** Removes what a killed process left: files that `isKnown` denies. Returns how many. Only before the first write. */
  sweep(isKnown: (id: string) => boolean): number {
    let removed = 0;
    for (const folder of readdirSync(this.contentDir)) {
      for (const name of readdirSync(join(this.contentDir, folder))) {
        if (isKnown(name)) continue;
        unlinkSync(join(this.contentDir, folder, name));
        removed += 1;
      }
    }
    return removed;
  }

  private async *readFile(id: string, from: number, to: number): AsyncGenerator<Uint8Array> {
    const file = await open(this.path(id), 'r');
    try {
      let position = from;
      while (position <= to) {
        const wanted = Math.min(READ_BYTES, to - position + 1);
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, position);
        if (bytesRead === 0) throw new Error(`content file ${id} ends at byte ${position}, before its recorded size`);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  private unpin(id: string): void {
    const count = (this.pins.get(id) ?? 0) - 1;
    if (count > 0) {
      this.pins.set(id, count);
      return;
    }
    this.pins.delete(id);
    if (this.discarded.delete(id)) this.discard(id);
  }

  private path(id: string): string {
    return join(this.contentDir, id.slice(0, 2), id);
  }
}

async function fill(
  file: FileHandle,
  body: AsyncIterable<Uint8Array>,
  expected: ExpectedDigests,
): Promise<Omit<WrittenContent, 'id'>> {
  const md5 = createHash('md5');
  const sha256 = expected.contentSha256 === undefined ? undefined : createHash('sha256');
  const crc = new Crc64();
  let size = 0;
  for await (const chunk of body) {
    if (chunk.length === 0) continue;
    // The disk works while this thread hashes.
    const writing = writeFully(file, chunk, size);
    hashInto(chunk, md5, sha256, crc);
    size += await writing;
  }
  const md5Digest = md5.digest();
  if (expected.contentMd5 !== undefined && !md5Digest.equals(expected.contentMd5)) {
    throw new TidemillError('BadDigest', 'The Content-MD5 announced does not match the bytes received');
  }
  if (sha256 !== undefined && sha256.digest('hex') !== expected.contentSha256) {
    throw new TidemillError('BadDigest', 'The SHA-256 announced does not match the bytes received');
  }
  return { size, md5: md5Digest.toString('hex'), crc64: crc.digest() };
}

async function writeFully(file: FileHandle, chunk: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < chunk.length) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
  return done;
}

interface Hashing {
  update(bytes: Uint8Array): unknown;
}

function hashInto(chunk: Uint8Array, ...hashes: (Hashing | undefined)[]): void {
  for (const hash of hashes) hash?.update(chunk);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function syncFolderAsync(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
