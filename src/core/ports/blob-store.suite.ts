import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import type { BlobStore } from './blob-store.ts';

/** One place where a store keeps its blobs. */
export interface BlobStorePlace {
  open(): Promise<BlobStore>;
  /** Changes one stored byte behind the store's back. */
  damage(digest: string): Promise<void>;
  /** How many files or the like are there beyond the finished blobs. */
  leftovers(): Promise<number>;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function* chunks(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += size) yield bytes.subarray(start, start + size);
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

async function listed(store: BlobStore): Promise<string[]> {
  const digests: string[] = [];
  for await (const digest of store.list()) digests.push(digest);
  return digests;
}

/** What every blob store promises. `place` makes a fresh, empty one and cleans up after the test. */
export function blobStoreSuite(name: string, place: (test: TestContext) => Promise<BlobStorePlace>): void {
  describe(`${name}: blob store`, () => {
    for (const size of [0, 1, 300_000, 3_000_000]) {
      it(`keeps ${size} bytes, given whole or in chunks`, async (test) => {
        const store = await (await place(test)).open();
        const bytes = new Uint8Array(size).map((_, index) => (index * 31) % 256);
        const put = await store.put(bytes);
        assert.deepEqual(put, { digest: sha256(bytes), size });
        assert.deepEqual(await store.put(chunks(bytes, 70_001)), put);
        assert.deepEqual(new Uint8Array((await store.get(put.digest)) ?? [255]), bytes);
        const opened = await store.open(put.digest);
        assert.equal(opened?.size, size);
        assert.deepEqual(await collect(opened.body), bytes);
        assert.equal(await store.has(put.digest), true);
      });
    }

    it('has nothing under other names, whatever they look like', async (test) => {
      const store = await (await place(test)).open();
      for (const digest of ['0'.repeat(64), '', '..', '../../etc/passwd', 'A'.repeat(64)]) {
        assert.equal(await store.get(digest), undefined);
        assert.equal(await store.open(digest), undefined);
        assert.equal(await store.has(digest), false);
        await store.delete(digest);
      }
    });

    it('puts of the same bytes at the same time are one blob', async (test) => {
      const where = await place(test);
      const store = await where.open();
      const bytes = new Uint8Array(100_000).fill(7);
      await Promise.all(Array.from({ length: 10 }, () => store.put(chunks(bytes, 1000))));
      assert.deepEqual(await listed(store), [sha256(bytes)]);
      assert.equal(await where.leftovers(), 0);
    });

    it('lists and deletes', async (test) => {
      const store = await (await place(test)).open();
      const digests = [];
      for (let n = 0; n < 20; n++) digests.push((await store.put(Uint8Array.of(n))).digest);
      assert.deepEqual((await listed(store)).toSorted(), digests.toSorted());
      const [first = '', ...rest] = digests;
      await store.delete(first);
      await store.delete(first);
      assert.equal(await store.has(first), false);
      assert.deepEqual((await listed(store)).toSorted(), rest.toSorted());
    });

    it('a source that fails leaves nothing behind', async (test) => {
      const where = await place(test);
      const store = await where.open();
      async function* failing(): AsyncIterable<Uint8Array> {
        yield new Uint8Array(100_000);
        throw new Error('the client went away');
      }
      await assert.rejects(store.put(failing()), /went away/);
      assert.deepEqual(await listed(store), []);
      assert.equal(await where.leftovers(), 0);
    });

    it('never gives damaged bytes as good ones; putting the blob again heals it', async (test) => {
      const where = await place(test);
      const store = await where.open();
      const bytes = new Uint8Array(500_000).fill(9);
      const { digest } = await store.put(bytes);
      await where.damage(digest);
      await assert.rejects(store.get(digest), /damaged/);
      const opened = await store.open(digest);
      assert.ok(opened);
      await assert.rejects(collect(opened.body), /damaged/);
      await store.put(bytes);
      assert.deepEqual(new Uint8Array((await store.get(digest)) ?? []), bytes);
    });

    it('holds everything after opening again', async (test) => {
      const where = await place(test);
      const { digest } = await (await where.open()).put(Uint8Array.of(1, 2, 3));
      assert.deepEqual(new Uint8Array((await (await where.open()).get(digest)) ?? []), Uint8Array.of(1, 2, 3));
    });
  });
}
