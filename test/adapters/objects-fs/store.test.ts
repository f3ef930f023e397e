import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { openObjectStore } from '../../../src/adapters/objects-fs/store.ts';
import type { Clock } from '../../../src/core/base/clock.ts';
import type { ObjectStore, WriteContext } from '../../../src/core/ports/object-store.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { objectStoreSuite } from '../../../src/core/ports/object-store.suite.ts';

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: () => ({ dispose() {} }),
};
const random = { bytes: (count: number) => randomBytes(count), float: () => Math.random() };
const CONTEXT: WriteContext = { account: '1', requestId: 'r', sourceIp: '', lineage: undefined };
const PUT = { eventName: 'ObjectCreated:PutObject' } as const;

const folders: string[] = [];
async function newFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tidemill-objects-'));
  folders.push(dir);
  return dir;
}
after(async () => {
  for (const dir of folders) await rm(dir, { recursive: true, force: true });
});

async function* bytes(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return chunks;
}

async function contentFiles(dir: string): Promise<string[]> {
  const entries = await readdir(join(dir, 'content'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

objectStoreSuite('objects-fs', async () => openObjectStore({ dir: await newFolder(), clock, random }));

describe('files of objects-fs', () => {
  test('a store made before objects knew who wrote them is taken over', async () => {
    const dir = await newFolder();
    const first = await openObjectStore({ dir, clock, random });
    await first.createBucket('1', 'bucket', undefined);
    await first.put('bucket', 'old', bytes(Buffer.from('kept')), PUT, CONTEXT);
    await first.close();
    const database = new DatabaseSync(join(dir, 'objects.db'));
    database.exec('ALTER TABLE object DROP COLUMN lineage');
    database.close();
    const second = await openObjectStore({ dir, clock, random });
    assert.equal((await second.head('bucket', 'old'))?.lineage, undefined);
    const lineage = { hops: 1, rootRequestId: 'r' };
    await second.put('bucket', 'new', bytes(Buffer.from('x')), PUT, { ...CONTEXT, lineage });
    assert.deepEqual((await second.head('bucket', 'new'))?.lineage, lineage);
    await second.close();
  });

  test('a store made before buckets counted is counted once', async () => {
    const dir = await newFolder();
    const first = await openObjectStore({ dir, clock, random });
    await first.createBucket('1', 'bucket', undefined);
    await first.put('bucket', 'old', bytes(Buffer.from('kept')), PUT, CONTEXT);
    const upload = await first.createUpload('bucket', 'm', {});
    await first.putPart(upload, 1, bytes(Buffer.from('part one')), {});
    await first.close();
    const database = new DatabaseSync(join(dir, 'objects.db'));
    database.exec('ALTER TABLE bucket DROP COLUMN objects; ALTER TABLE bucket DROP COLUMN bytes');
    database.close();
    const second = await openObjectStore({ dir, clock, random });
    assert.deepEqual(await second.usage('1'), { objects: 1, objectBytes: 12 });
    await second.close();
  });

  test('what is more than the quota of the account is refused by its name, and changes nothing', async () => {
    const dir = await newFolder();
    const store = await openObjectStore({ dir, clock, random, quotasOf: () => ({ objects: 2, objectBytes: 10 }) });
    const over = (quota: string) => (error: unknown) => {
      assert.ok(error instanceof TidemillError && error.code === 'LimitExceededError', String(error));
      return error.message.includes(`quota ${quota})`);
    };
    const put = (key: string, text: string) => store.put('bucket', key, bytes(Buffer.from(text)), PUT, CONTEXT);
    await store.createBucket('1', 'bucket', undefined);
    await put('a', '12345');
    await assert.rejects(put('b', '123456'), over('objectBytes'));
    assert.equal(await store.head('bucket', 'b'), undefined);
    await put('b', '12345');
    await assert.rejects(put('c', ''), over('objects'));
    await assert.rejects(put('a', '123456'), over('objectBytes'));
    assert.equal((await store.head('bucket', 'a'))?.size, 5);
    const upload = await store.createUpload('bucket', 'a', {});
    await assert.rejects(store.putPart(upload, 1, bytes(Buffer.from('1')), {}), over('objectBytes'));
    assert.equal((await contentFiles(dir)).length, 2);
    assert.equal((await store.events(0, 10)).length, 2);
    await put('a', '1');
    // parts give way to the object that is made of them
    const part = await store.putPart(upload, 1, bytes(Buffer.from('1234')), {});
    await store.completeUpload(upload, [part], { minPartBytes: 1 }, CONTEXT);
    assert.deepEqual(await store.usage('1'), { objects: 2, objectBytes: 9 });
    await store.close();
  });

  test('everything is there after closing and opening again', async () => {
    const dir = await newFolder();
    const first = await openObjectStore({ dir, clock, random });
    await first.createBucket('1', 'bucket', 'public-read');
    await first.put('bucket', 'k', bytes(Buffer.from('kept')), PUT, CONTEXT);
    const upload = await first.createUpload('bucket', 'm', {});
    const part = await first.putPart(upload, 1, bytes(Buffer.from('part')), {});
    await first.close();
    const second = await openObjectStore({ dir, clock, random });
    assert.equal((await second.bucket('bucket'))?.acl, 'public-read');
    assert.equal((await second.events(0, 10)).length, 1);
    await second.completeUpload(upload, [part], { minPartBytes: 1 }, CONTEXT);
    const chunks = await collect((await second.open('1', 'bucket', 'm'))?.body ?? bytes());
    assert.equal(Buffer.concat(chunks).toString(), 'part');
    await second.close();
  });

  test('what a killed process left is swept at the start, what is known stays', async () => {
    const dir = await newFolder();
    const first = await openObjectStore({ dir, clock, random });
    await first.createBucket('1', 'bucket', undefined);
    await first.put('bucket', 'k', bytes(Buffer.from('kept')), PUT, CONTEXT);
    await first.close();
    await writeFile(join(dir, 'content', 'ab', `ab${'0'.repeat(30)}`), 'renamed, but never committed');
    await writeFile(join(dir, 'incoming', 'half'), 'half written');
    const second = await openObjectStore({ dir, clock, random });
    assert.equal((await contentFiles(dir)).length, 1);
    assert.deepEqual(await readdir(join(dir, 'incoming')), []);
    await second.close();
  });

  test('a second opener is refused while the first is there, and sweeps nothing', async () => {
    const dir = await newFolder();
    const first = await openObjectStore({ dir, clock, random });
    await first.createBucket('1', 'bucket', undefined);
    const slow = (async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('begun, ');
      await assert.rejects(openObjectStore({ dir, clock, random }), /another process may have it open/);
      yield Buffer.from('ended');
    })();
    await first.put('bucket', 'k', slow, PUT, CONTEXT);
    await first.close();
    const second = await openObjectStore({ dir, clock, random });
    const chunks = await collect((await second.open('1', 'bucket', 'k'))?.body ?? bytes());
    assert.equal(Buffer.concat(chunks).toString(), 'begun, ended');
    await second.close();
  });

  test('no file outlives its last use', async () => {
    const dir = await newFolder();
    const store = await openObjectStore({ dir, clock, random });
    await store.createBucket('1', 'bucket', undefined);
    const one = await store.put('bucket', 'k', bytes(Buffer.from('one')), PUT, CONTEXT);
    await store.copy({ bucket: 'bucket', key: 'k', sourceEtag: one.etag }, { bucket: 'bucket', key: 'c' }, {}, CONTEXT);
    await store.put('bucket', 'k', bytes(Buffer.from('two')), PUT, CONTEXT);
    await store.put('bucket', 'empty', bytes(), PUT, CONTEXT);
    const upload = await store.createUpload('bucket', 'm', {});
    await store.putPart(upload, 1, bytes(Buffer.from('a')), {});
    await store.putPart(upload, 1, bytes(Buffer.from('b')), {});
    await store.abortUpload(upload);
    const failing = (async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('x');
      throw new Error('gone');
    })();
    await assert.rejects(store.put('bucket', 'f', failing, PUT, CONTEXT));
    const held = await store.openObject('bucket', 'c');
    await store.remove('bucket', ['c', 'empty'], 'ObjectRemoved:DeleteObjects', CONTEXT);
    assert.equal((await contentFiles(dir)).length, 2);
    held?.release();
    await store.remove('bucket', ['k'], 'ObjectRemoved:DeleteObject', CONTEXT);
    await store.close();
    assert.deepEqual(await contentFiles(dir), []);
    assert.deepEqual(await readdir(join(dir, 'incoming')), []);
  });
});

describe('listing of objects-fs against a model', () => {
  let store: ObjectStore & { close(): Promise<void> };
  let count = 0;
  before(async () => {
    store = await openObjectStore({ dir: await newFolder(), clock, random });
  });
  after(() => store.close());

  const letters = fc.constantFrom('a', 'b', '/', '//', '-', 'é', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}');
  const keyArb = fc.array(letters, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));

  test('pages joined are what a plain loop over sorted keys gives', async () => {
    const property = fc.asyncProperty(
      fc.uniqueArray(keyArb, { maxLength: 25 }),
      fc.array(letters, { maxLength: 2 }).map((parts) => parts.join('')),
      fc.constantFrom('', '/', '//', 'b'),
      fc.integer({ min: 1, max: 7 }),
      async (keys, prefix, delimiter, limit) => {
        count += 1;
        const bucket = `model-${count}`;
        await store.createBucket('1', bucket, undefined);
        for (const key of keys) await store.put(bucket, key, bytes(), PUT, CONTEXT);
        const seen: string[] = [];
        let after: string | undefined = '';
        while (after !== undefined) {
          const page = await store.list(bucket, { prefix, delimiter, after, limit });
          const entries = [...page.objects.map((object) => object.key), ...page.commonPrefixes];
          assert.ok(entries.length <= limit);
          assert.ok(page.next === undefined || entries.length === limit);
          seen.push(...entries.sort(byBytes));
          assert.ok(seen.length <= keys.length, 'pages repeat themselves');
          after = page.next;
        }
        assert.deepEqual(seen, model(keys, prefix, delimiter));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  function byBytes(a: string, b: string): number {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }

  function model(keys: readonly string[], prefix: string, delimiter: string): string[] {
    const entries = new Set<string>();
    for (const key of keys.filter((candidate) => candidate.startsWith(prefix))) {
      const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      entries.add(at === -1 ? key : key.slice(0, at + delimiter.length));
    }
    return [...entries].sort(byBytes);
  }
});
