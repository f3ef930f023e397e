import { newUuid } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';
import { blobsOf, type FunctionDocument } from './documents.ts';
import type { DocumentStore } from './document-store.ts';
import { KeyedLock } from '../../core/base/keyed-lock.ts';
import { keys } from './keys.ts';

/** A function whose parts are being deleted; its head goes first. */
export interface Removal {
  readonly account: string;
  readonly name: string;
  readonly functionId: string;
}

/** Begun work that needs a look at these blobs when it ends, however it ends. */
interface Pending {
  readonly blobs: readonly string[];
  /** Documents that may have taken or dropped the blobs; a trailing `/` stands for all documents below. */
  readonly owners: readonly string[];
  readonly removal?: Removal;
}

/**
 * Which documents need which blobs, so that a blob goes away with its last user and never before. A reference is written before the
 * document that needs the blob and removed after that document is gone; between the two, `pending` remembers to look again after a
 * crash. Work that is about to refer to a blob pins it, so that collecting and deploying the same bytes do not cross.
 *
 * One control process per metadata store: pins and locks are in memory.
 */
export class CodeReferences {
  private readonly documents: DocumentStore;
  private readonly blobs: BlobStore;
  private readonly random: Random;
  private readonly locks = new KeyedLock();
  /** Reference keys whose owner is about to be written: their own work looks at them when it ends. */
  private readonly pins = new Map<string, number>();

  constructor(documents: DocumentStore, blobs: BlobStore, random: Random) {
    this.documents = documents;
    this.blobs = blobs;
    this.random = random;
  }

  /**
   * Runs `write`, which makes `owner` need the `taken` blobs and perhaps no longer the `dropped` ones. Bytes given are stored first.
   * Whatever happens, blobs that nothing needs afterwards are deleted.
   */
  async change<T>(
    options: {
      readonly owner: string;
      readonly taken: readonly { readonly id: string; readonly bytes?: Uint8Array }[];
      readonly dropped: readonly string[];
    },
    write: () => Promise<T>,
  ): Promise<T> {
    const blobs = [...new Set([...options.taken.map((blob) => blob.id), ...options.dropped])];
    return this.withPending({ blobs, owners: [options.owner] }, async () => {
      const pinned: string[] = [];
      try {
        for (const blob of options.taken) {
          await this.locks.run(blob.id, async () => {
            const reference = keys.reference(blob.id, options.owner);
            this.pin(reference, 1);
            pinned.push(reference);
            await this.documents.put(reference, 1);
            if (blob.bytes !== undefined) await this.store(blob.id, blob.bytes);
          });
        }
        return await write();
      } finally {
        for (const reference of pinned) this.pin(reference, -1);
      }
    });
  }

  /** Runs `remove`, after which none of the `owners` (keys, or key prefixes with a trailing `/`) need the `blobs`. */
  async drop<T>(
    what: { readonly blobs: readonly string[]; readonly owners: readonly string[]; readonly removal?: Removal },
    remove: () => Promise<T>,
  ): Promise<T> {
    return this.withPending({ ...what, blobs: [...new Set(what.blobs)] }, remove);
  }

  private async withPending<T>(pending: Pending, work: () => Promise<T>): Promise<T> {
    const key = keys.pending(newUuid(this.random));
    await this.documents.put(key, pending);
    try {
      return await work();
    } finally {
      await this.tidy(key, pending);
    }
  }

  /** The outcome of the work stands even when tidying fails: `pending` stays then, and the next start tidies. */
  private async tidy(key: string, pending: Pending): Promise<void> {
    try {
      await this.settle(pending);
      await this.documents.delete(key);
    } catch {
      return;
    }
  }

  private async store(id: string, bytes: Uint8Array): Promise<void> {
    const [account = '', digest] = id.split('/');
    const stored = await this.blobs.put(account, bytes);
    if (stored.digest !== digest) throw new Error(`blob store named ${id} ${stored.digest}`);
  }

  private pin(reference: string, by: 1 | -1): void {
    const count = (this.pins.get(reference) ?? 0) + by;
    if (count === 0) this.pins.delete(reference);
    else this.pins.set(reference, count);
  }

  private async settle(pending: Pending): Promise<void> {
    for (const id of pending.blobs) {
      await this.locks.run(id, () => this.settleOne(id, pending.owners));
    }
  }

  private async settleOne(id: string, owners: readonly string[]): Promise<void> {
    for (const owner of owners) {
      const prefix = keys.reference(id, owner);
      for await (const reference of this.documents.scan(prefix)) {
        if (!owner.endsWith('/') && reference.key !== prefix) continue;
        if (this.pins.has(reference.key)) continue;
        const ownerKey = reference.key.slice(keys.reference(id, '').length);
        if (!(await this.needs(ownerKey, id))) await this.documents.delete(reference.key);
      }
    }
    const remaining = await this.documents.list(keys.reference(id, ''), { limit: 1 });
    if (remaining.length === 0) await this.blobs.delete(id);
  }

  private async needs(ownerKey: string, id: string): Promise<boolean> {
    const owner = await this.documents.read<Pick<FunctionDocument, 'layers'> & { record: FunctionDocument['record'] }>(
      ownerKey,
    );
    return owner !== undefined && blobsOf(owner.value).includes(id);
  }

  /** Finishes what a crash interrupted. Call once, before anything else; `finish` deletes what is left of a removed function. */
  async recover(finish: (removal: Removal) => Promise<void>): Promise<void> {
    for await (const { key, value } of this.documents.scan<Pending>(keys.pending(''))) {
      if (value.removal !== undefined) await finish(value.removal);
      await this.settle(value);
      await this.documents.delete(key);
    }
  }
}
