import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { type BlobStore, blobId } from './blob-store.ts';

/** One place where a store keeps its blobs. */
export interface BlobStorePlace {
  open(): Promise<BlobStore>;
  /** Changes one stored byte behind the store's back. */
  damage(id: string): Promise<void>;
  /** How many files or the like are there beyond the finished blobs. */
  leftovers(): Promise<number>;
}

const ACCOUNT = '1234567890123456';
const idOf = (digest: string): string => blobId({ owner: ACCOUNT, digest });

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
        const put = await store.put(ACCOUNT, bytes);
        assert.deepEqual(put, { digest: sha256(bytes), size });
        assert.deepEqual(await store.put(ACCOUNT, chunks(bytes, 70_001)), put);
        assert.deepEqual(new Uint8Array((await store.get(idOf(put.digest))) ?? [255]), bytes);
        const opened = await store.open(idOf(put.digest));
        assert.equal(opened?.size, size);
        assert.deepEqual(await collect(opened.body), bytes);
        assert.equal(await store.has(idOf(put.digest)), true);
      });
    }

    it('has nothing under other names, whatever they look like', async (test) => {
      const store = await (await place(test)).open();
      const digests = ['0'.repeat(64), '', '..', '../../etc/passwd', 'A'.repeat(64)];
      for (const id of [...digests, ...digests.map(idOf), `../${'0'.repeat(64)}`, `/${'0'.repeat(64)}`]) {
        assert.equal(await store.get(id), undefined);
        assert.equal(await store.open(id), undefined);
        assert.equal(await store.has(id), false);
        await store.delete(id);
      }
    });

    it('puts of the same bytes at the same time are one blob', async (test) => {
      const where = await place(test);
      const store = await where.open();
      const bytes = new Uint8Array(100_000).fill(7);
      await Promise.all(Array.from({ length: 10 }, () => store.put(ACCOUNT, chunks(bytes, 1000))));
      assert.deepEqual(await listed(store), [idOf(sha256(bytes))]);
      assert.equal(await where.leftovers(), 0);
    });

    it('keeps the blobs of accounts apart, the same bytes too', async (test) => {
      const store = await (await place(test)).open();
      const bytes = Uint8Array.of(1, 2, 3);
      const { digest } = await store.put(ACCOUNT, bytes);
      const other = blobId({ owner: '6543210987654321', digest });
      assert.equal(await store.has(other), false);
      assert.equal(await store.get(other), undefined);
      await store.put('6543210987654321', bytes);
      await store.delete(idOf(digest));
      assert.deepEqual(new Uint8Array((await store.get(other)) ?? []), bytes);
      assert.deepEqual(await listed(store), [other]);
      await assert.rejects(store.put('../x', bytes));
    });

    it('lists and deletes', async (test) => {
      const store = await (await place(test)).open();
      const ids = [];
      for (let n = 0; n < 20; n++) ids.push(idOf((await store.put(ACCOUNT, Uint8Array.of(n))).digest));
      assert.deepEqual((await listed(store)).toSorted(), ids.toSorted());
      const [first = '', ...rest] = ids;
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
      await assert.rejects(store.put(ACCOUNT, failing()), /went away/);
      assert.deepEqual(await listed(store), []);
      assert.equal(await where.leftovers(), 0);
    });

    it('never gives damaged bytes as good ones; putting the blob again heals it', async (test) => {
      const where = await place(test);
      const store = await where.open();
      const bytes = new Uint8Array(500_000).fill(9);
      const id = idOf((await store.put(ACCOUNT, bytes)).digest);
      await where.damage(id);
      await assert.rejects(store.get(id), /damaged|does not open/);
      const opened = await store.open(id);
      assert.ok(opened);
      await assert.rejects(collect(opened.body), /damaged|does not open/);
      await store.put(ACCOUNT, bytes);
      assert.deepEqual(new Uint8Array((await store.get(id)) ?? []), bytes);
    });

    it('holds everything after opening again', async (test) => {
      const where = await place(test);
      const { digest } = await (await where.open()).put(ACCOUNT, Uint8Array.of(1, 2, 3));
      assert.deepEqual(new Uint8Array((await (await where.open()).get(idOf(digest))) ?? []), Uint8Array.of(1, 2, 3));
    });
  });
}
