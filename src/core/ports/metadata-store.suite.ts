import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { MetadataChange, MetadataStore } from './metadata-store.ts';

/** One place where a store keeps its data. */
export interface MetadataStorePlace {
  /** Opens the store there; again after a close, or after a crash of whoever had it open. */
  open(): Promise<MetadataStore>;
  /**
   * Lets another process put `crash/0`, `crash/1`, ... (value = number) as fast as it can, kills it with SIGKILL once it has
   * been answered at least `answers` times, and gives every key whose put resolved there.
   */
  crash(answers: number): Promise<readonly string[]>;
}

/** What every metadata store promises. `place` makes a fresh, empty one and cleans up after the test. */
export function metadataStoreSuite(name: string, place: (test: TestContext) => Promise<MetadataStorePlace>): void {
  const withStore = (title: string, body: (store: MetadataStore, place: MetadataStorePlace) => Promise<void>) =>
    void it(title, async (test) => {
      const where = await place(test);
      const store = await where.open();
      try {
        await body(store, where);
      } finally {
        await store.close();
      }
    });

  describe(`${name}: metadata store`, () => {
    withStore('reads what was written, with its revision', async (store) => {
      assert.equal(await store.get('a/b'), undefined);
      const value = { text: 'ü', list: [1, null, { deep: true }] };
      const written = await store.put('a/b', value);
      assert.ok(written.ok && written.revision >= 1);
      assert.deepEqual(await store.get('a/b'), { key: 'a/b', value, revision: written.revision });
    });

    withStore('a value that its writer changes afterwards stays as it was written', async (store) => {
      const value = { n: 1 };
      const writing = store.put('k', value);
      value.n = 2;
      await writing;
      assert.deepEqual((await store.get('k'))?.value, { n: 1 });
    });

    withStore('compare-and-swap', async (store) => {
      const first = await store.put('k', 1, 0);
      assert.ok(first.ok);
      assert.deepEqual(await store.put('k', 2, 0), { ok: false, actual: first.revision });
      assert.deepEqual(await store.put('other', 2, 7), { ok: false, actual: 0 });
      const second = await store.put('k', 2, first.revision);
      assert.ok(second.ok && second.revision > first.revision);
      assert.deepEqual(await store.delete('k', first.revision), { ok: false, actual: second.revision });
      assert.ok((await store.delete('k', second.revision)).ok);
      assert.equal(await store.get('k'), undefined);
    });

    withStore('deleting what does not exist', async (store) => {
      assert.deepEqual(await store.delete('none'), { ok: true, revision: 0 });
      assert.deepEqual(await store.delete('none', 0), { ok: true, revision: 0 });
      assert.deepEqual(await store.delete('none', 3), { ok: false, actual: 0 });
    });

    withStore('revisions never repeat, not after a delete and not after reopening', async (store, where) => {
      const first = await store.put('k', 1);
      const gone = await store.delete('k');
      await store.close();
      const again = await where.open();
      const second = await again.put('k', 1, 0);
      await again.close();
      assert.ok(first.ok && gone.ok && second.ok);
      assert.ok(first.revision < gone.revision && gone.revision < second.revision);
    });

    withStore('of many racing compare-and-swaps exactly one wins', async (store) => {
      const results = await Promise.all(Array.from({ length: 100 }, (_, n) => store.put('k', n, 0)));
      const winners = results.flatMap((result, n) => (result.ok ? [n] : []));
      assert.equal(winners.length, 1);
      assert.equal((await store.get('k'))?.value, winners[0]);
    });

    withStore('counting up by compare-and-swap loses nothing', async (store) => {
      await store.put('n', 0);
      const countUp = async () => {
        for (;;) {
          const entry = await store.get('n');
          assert.ok(entry);
          if ((await store.put('n', Number(entry.value) + 1, entry.revision)).ok) return;
        }
      };
      await Promise.all(Array.from({ length: 30 }, countUp));
      assert.equal((await store.get('n'))?.value, 30);
    });

    withStore('lists by prefix in byte order, in pages, both ways', async (store) => {
      const keys = ['a', 'a-b', 'a.b', 'a/A', 'a/a', 'a/a/x', 'a/b', 'a0', 'a=b', 'b/a'];
      for (const key of keys.toReversed()) await store.put(key, key);
      const list = async (...args: Parameters<MetadataStore['list']>) =>
        (await store.list(...args)).map((entry) => entry.key);
      assert.deepEqual(await list(''), keys);
      assert.deepEqual(await list('a/'), ['a/A', 'a/a', 'a/a/x', 'a/b']);
      assert.deepEqual(await list('a'), keys.slice(0, -1));
      assert.deepEqual(await list('a/', { after: 'a/a' }), ['a/a/x', 'a/b']);
      assert.deepEqual(await list('a/', { after: 'a/a', limit: 1 }), ['a/a/x']);
      assert.deepEqual(await list('a/', { after: 'Z' }), ['a/A', 'a/a', 'a/a/x', 'a/b']);
      assert.deepEqual(await list('a/', { after: 'b' }), []);
      assert.deepEqual(await list('a/', { reverse: true }), ['a/b', 'a/a/x', 'a/a', 'a/A']);
      assert.deepEqual(await list('a/', { reverse: true, after: 'a/a/x', limit: 1 }), ['a/a']);
      assert.deepEqual(await list('a/', { reverse: true, after: 'zzz' }), ['a/b', 'a/a/x', 'a/a', 'a/A']);
      assert.deepEqual(await list('none/'), []);
      assert.deepEqual(await list('', { limit: 0 }), []);
    });

    withStore('watch tells every change under the prefix once, in order, before the write resolves', async (store) => {
      const seen: MetadataChange[] = [];
      const watching = store.watch('w/', (change) => seen.push(change));
      const one = await store.put('w/1', { n: 1 });
      assert.equal(seen.length, 1);
      await store.put('x/1', 1);
      await store.put('w/1', 2, 0);
      await store.delete('w/none');
      const many = await Promise.all(Array.from({ length: 50 }, (_, n) => store.put(`w/${n % 7}`, n)));
      const gone = await store.delete('w/1');
      assert.ok(one.ok && gone.ok);
      assert.deepEqual(seen[0], { type: 'put', entry: { key: 'w/1', value: { n: 1 }, revision: one.revision } });
      assert.deepEqual(seen.at(-1), { type: 'delete', key: 'w/1', revision: gone.revision });
      const revisions = seen.map((change) => (change.type === 'put' ? change.entry.revision : change.revision));
      assert.deepEqual(
        revisions,
        [one, ...many, gone].map((result) => (result.ok ? result.revision : -1)),
      );
      assert.deepEqual(
        revisions,
        revisions.toSorted((a, b) => a - b),
      );
      watching.dispose();
      await store.put('w/2', 1);
      assert.equal(seen.length, 52);
    });

    withStore('refuses a key or value that it could not give back', async (store) => {
      await assert.rejects(store.put('with space', 1), TypeError);
      await assert.rejects(store.put('', 1), TypeError);
      await assert.rejects(
        store.put('k', () => {}),
        TypeError,
      );
      assert.deepEqual(await store.list(''), []);
    });

    withStore('holds everything after closing and opening again', async (store, where) => {
      await Promise.all(Array.from({ length: 500 }, (_, n) => store.put(`k/${n}`, { n })));
      const before = await store.list('k/');
      await store.close();
      const again = await where.open();
      assert.deepEqual(await again.list('k/'), before);
      await again.close();
    });

    withStore('rejects after close', async (store) => {
      await store.close();
      await assert.rejects(store.put('k', 1));
      await assert.rejects(store.get('k'));
      await store.close();
    });

    it('everything acknowledged is there after SIGKILL of the writing process', async (test) => {
      const where = await place(test);
      for (let round = 0; round < 3; round++) {
        const acknowledged = await where.crash(200);
        assert.ok(acknowledged.length >= 200);
        const store = await where.open();
        const held = new Set((await store.list('crash/')).map((entry) => entry.key));
        assert.deepEqual(
          acknowledged.filter((key) => !held.has(key)),
          [],
        );
        assert.ok((await store.put('after', round)).ok);
        await store.close();
      }
    });
  });
}
