import { createHash } from 'node:crypto';
import { ZipFile } from 'yazl';
import type { CodePackage } from '../../../src/core/domain/function.ts';
import type { BlobStore } from '../../../src/core/ports/blob-store.ts';

/** A blob store in memory that counts how often each blob was opened. */
export class MemoryBlobs implements BlobStore {
  readonly opened = new Map<string, number>();
  private readonly blobs = new Map<string, Uint8Array>();

  async put(account: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: string; size: number }> {
    const chunks: Uint8Array[] = [];
    if (bytes instanceof Uint8Array) chunks.push(bytes);
    else for await (const chunk of bytes) chunks.push(chunk);
    const all = Buffer.concat(chunks);
    const digest = createHash('sha256').update(all).digest('hex');
    this.blobs.set(`${account}/${digest}`, all);
    return { digest, size: all.length };
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    return this.blobs.get(id);
  }

  async open(id: string): Promise<{ size: number; body: AsyncIterable<Uint8Array> } | undefined> {
    const bytes = this.blobs.get(id);
    if (bytes === undefined) return undefined;
    this.opened.set(id, (this.opened.get(id) ?? 0) + 1);
    return {
      size: bytes.length,
      body: (async function* () {
        for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
      })(),
    };
  }

  async has(id: string): Promise<boolean> {
    return this.blobs.has(id);
  }

  async delete(id: string): Promise<void> {
    this.blobs.delete(id);
  }

  async *list(): AsyncIterable<string> {
    yield* this.blobs.keys();
  }
}

export interface ZipItem {
  readonly name: string;
  readonly content?: string | Uint8Array;
  /** Whole `st_mode`; default a plain file 0644. */
  readonly mode?: number;
}

export async function zipOf(items: readonly ZipItem[]): Promise<Buffer> {
  const zip = new ZipFile();
  for (const item of items) {
    if (item.name.endsWith('/')) zip.addEmptyDirectory(item.name, { mode: item.mode ?? 0o40755 });
    else zip.addBuffer(Buffer.from(item.content ?? ''), item.name, { mode: item.mode ?? 0o100644 });
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Stores a zip of `items` and gives it as a code package. */
export async function packageOf(blobs: BlobStore, items: readonly ZipItem[]): Promise<CodePackage> {
  return packageOfBytes(blobs, await zipOf(items));
}

export async function packageOfBytes(blobs: BlobStore, bytes: Uint8Array): Promise<CodePackage> {
  const owner = '1234567890123456';
  const { digest, size } = await blobs.put(owner, bytes);
  return { owner, digest, checksum: '0', size };
}
