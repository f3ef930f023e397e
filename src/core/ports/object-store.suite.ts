import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { crc64 } from '../base/crc64.ts';
import { TidemillError } from '../domain/errors.ts';
import type { ObjectStore, PutOptions, WriteContext } from './object-store.ts';

const ACCOUNT = '1000000000000001';
const CONTEXT: WriteContext = {
  account: ACCOUNT,
  requestId: 'request-1',
  sourceIp: '127.0.0.1',
  lineage: { hops: 2, rootRequestId: 'root-1' },
};
const PUT: PutOptions = { eventName: 'ObjectCreated:PutObject' };

async function* bytes(...chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  throw new Error('the sender went away');
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function failsWith(code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TidemillError, String(error));
    assert.equal(error.code, code);
    return true;
  };
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

/** What every object store promises. `open` starts an empty one; `store.close` ends it. */
export function objectStoreSuite(name: string, open: () => Promise<ObjectStore & { close(): Promise<void> }>): void {
  describe(`object store: ${name}`, () => {
    let store: ObjectStore & { close(): Promise<void> };
    let bucket = '';
    let count = 0;
    before(async () => {
      store = await open();
    });
    after(() => store.close());

    const fresh = async (): Promise<string> => {
      count += 1;
      bucket = `bucket-${count}`;
      await store.createBucket(ACCOUNT, bucket, undefined);
      return bucket;
    };
    const read = async (key: string): Promise<string | undefined> => {
      const found = await store.open(ACCOUNT, bucket, key);
      return found === undefined ? undefined : collect(found.body);
    };
    const put = (key: string, text: string, options: Partial<PutOptions> = {}): ReturnType<ObjectStore['put']> =>
      store.put(bucket, key, bytes(text), { ...PUT, ...options }, CONTEXT);
    /** Events of this bucket. */
    const events = async (): Promise<string[]> =>
      (await store.events(0, 10_000))
        .filter((event) => event.bucket === bucket)
        .map((event) => `${event.eventName} ${event.key} ${event.size} ${event.deltaSize}`);

    test('what was put is read back, with everything known about it', async () => {
      await fresh();
      const info = await store.put(
        bucket,
        'k',
        bytes('hello ', '', 'world'),
        { ...PUT, contentType: 'text/x', systemHeaders: { 'cache-control': 'x' }, userMeta: { a: '1' } },
        CONTEXT,
      );
      assert.equal(info.size, 11);
      assert.equal(info.etag, md5('hello world'));
      assert.equal(info.crc64, crc64(Buffer.from('hello world')));
      assert.deepEqual(
        [info.contentType, info.systemHeaders, info.userMeta],
        ['text/x', { 'cache-control': 'x' }, { a: '1' }],
      );
      assert.deepEqual(await store.head(bucket, 'k'), info);
      assert.equal(await read('k'), 'hello world');
      const object = await store.openObject(bucket, 'k');
      assert.ok(object);
      assert.equal(await collect(object.read({ start: 4, end: 6 })), 'o w');
      object.release();
      assert.equal(await store.open('9999999999999999', bucket, 'k'), undefined);
      assert.equal(await store.head(bucket, 'other'), undefined);
      await assert.rejects(store.head('no-such-bucket', 'k'), failsWith('NoSuchBucket'));
    });

    test('empty objects, and overwriting', async () => {
      await fresh();
      await put('e', '');
      assert.equal(await read('e'), '');
      await put('e', 'full');
      assert.equal(await read('e'), 'full');
      assert.deepEqual(await events(), ['ObjectCreated:PutObject e 0 0', 'ObjectCreated:PutObject e 4 4']);
    });

    test('a body that breaks or lies leaves the old object and no event', async () => {
      await fresh();
      await put('k', 'old');
      await assert.rejects(store.put(bucket, 'k', broken(), PUT, CONTEXT), /went away/);
      await assert.rejects(put('k', 'new', { contentMd5: Buffer.alloc(16) }), failsWith('BadDigest'));
      await assert.rejects(put('k', 'new', { contentSha256: '0'.repeat(64) }), failsWith('BadDigest'));
      assert.equal(await read('k'), 'old');
      assert.equal((await events()).length, 1);
    });

    test('conditions are checked against what is there', async () => {
      await fresh();
      await assert.rejects(put('k', 'x', { condition: { mustMatch: 'e' } }), failsWith('NoSuchKey'));
      const { etag } = await put('k', 'x', { condition: { mustNotExist: true } });
      await assert.rejects(put('k', 'y', { condition: { mustNotExist: true } }), failsWith('PreconditionFailed'));
      await assert.rejects(put('k', 'y', { condition: { mustMatch: 'other' } }), failsWith('PreconditionFailed'));
      await put('k', 'y', { condition: { mustMatch: etag } });
    });

    test('of writers that must be first, one wins', async () => {
      await fresh();
      const attempts = Array.from({ length: 20 }, (_, n) =>
        put('k', `writer ${n}`, { condition: { mustNotExist: true } }),
      );
      const outcomes = await Promise.allSettled(attempts);
      assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
      assert.equal((await events()).length, 1);
    });

    test('an object held open stays readable when it is removed', async () => {
      await fresh();
      await put('k', 'still here');
      const object = await store.openObject(bucket, 'k');
      assert.ok(object);
      await store.remove(bucket, ['k'], 'ObjectRemoved:DeleteObject', CONTEXT);
      assert.equal(await read('k'), undefined);
      assert.equal(await collect(object.read()), 'still here');
      object.release();
    });

    test('keys are data', async () => {
      await fresh();
      const keys = ['../../x', '/abs', 'a//b', '.', '..', 'ü/文/😀', `q'"%?#`, 'k'.repeat(1023), '\u0001'];
      for (const key of keys) await put(key, key);
      for (const key of keys) assert.equal(await read(key), key);
      for (const key of ['', 'k'.repeat(1024), 'a\0b', '\ud800'])
        await assert.rejects(put(key, ''), failsWith('InvalidObjectName'));
    });

    test('removing tells only of what was there', async () => {
      await fresh();
      await put('a', '1');
      await put('b', '22');
      const removed = await store.remove(bucket, ['a', 'none', 'b', 'a'], 'ObjectRemoved:DeleteObjects', CONTEXT);
      assert.deepEqual(removed, ['a', 'b']);
      assert.deepEqual((await events()).slice(2), [
        'ObjectRemoved:DeleteObjects a 1 -1',
        'ObjectRemoved:DeleteObjects b 2 -2',
      ]);
    });

    test('an object keeps the lineage of who wrote it last, copies included; written from outside it has none', async () => {
      await fresh();
      const written = await put('k', 'by a function');
      assert.deepEqual(written.lineage, CONTEXT.lineage);
      assert.deepEqual((await store.head(bucket, 'k'))?.lineage, CONTEXT.lineage);
      const outside = { ...CONTEXT, lineage: undefined };
      const from = { bucket, key: 'k', sourceEtag: written.etag };
      assert.equal((await store.copy(from, { bucket, key: 'copy' }, {}, outside)).lineage, undefined);
      assert.equal((await store.put(bucket, 'k', bytes('from outside'), PUT, outside)).lineage, undefined);
      assert.equal((await store.head(bucket, 'k'))?.lineage, undefined);
    });

    test('a copy is a new object with the old bytes', async () => {
      await fresh();
      const source = await put('from', 'bytes', { userMeta: { a: '1' } });
      const from = { bucket, key: 'from', sourceEtag: source.etag };
      const copied = await store.copy(from, { bucket, key: 'to' }, {}, CONTEXT);
      assert.deepEqual([copied.etag, copied.userMeta], [source.etag, { a: '1' }]);
      await store.copy(from, { bucket, key: 'from' }, { headers: { userMeta: { b: '2' } } }, CONTEXT);
      assert.deepEqual((await store.head(bucket, 'from'))?.userMeta, { b: '2' });
      assert.equal(await read('from'), 'bytes');
      await store.remove(bucket, ['from'], 'ObjectRemoved:DeleteObject', CONTEXT);
      assert.equal(await read('to'), 'bytes');
      await assert.rejects(store.copy(from, { bucket, key: 'x' }, {}, CONTEXT), failsWith('NoSuchKey'));
      const stale = { bucket, key: 'to', sourceEtag: 'stale' };
      await assert.rejects(store.copy(stale, { bucket, key: 'x' }, {}, CONTEXT), failsWith('PreconditionFailed'));
      assert.ok((await events()).includes('ObjectCreated:CopyObject to 5 5'));
    });

    test('lists in byte order, by prefix and delimiter, page by page', async () => {
      await fresh();
      for (const key of ['a', 'b/1', 'b/2', 'b/c/3', 'ｚ', '😀']) await put(key, key);
      const all = { prefix: '', delimiter: '/', after: '', limit: 10 };
      const page = await store.list(bucket, all);
      assert.deepEqual(
        page.objects.map((object) => object.key),
        ['a', 'ｚ', '😀'],
      );
      assert.deepEqual(page.commonPrefixes, ['b/']);
      assert.equal(page.next, undefined);
      const first = await store.list(bucket, { ...all, limit: 2 });
      assert.equal(first.next, 'b/');
      const second = await store.list(bucket, { ...all, after: first.next ?? '' });
      assert.deepEqual(
        second.objects.map((object) => object.key),
        ['ｚ', '😀'],
      );
    });

    test('multipart: parts become one object with one event', async () => {
      await fresh();
      const upload = await store.createUpload(bucket, 'big', { contentType: 'text/x' });
      const one = await store.putPart(upload, 1, bytes('never used'), {});
      const two = await store.putPart(upload, 2, bytes('second,'), {});
      const five = await store.putPart(upload, 5, bytes('fifth'), {});
      assert.deepEqual(
        (await store.listParts(upload, { after: 1, limit: 10 })).map((part) => part.partNumber),
        [2, 5],
      );
      assert.deepEqual(
        (await store.listUploads(bucket, { prefix: 'b', afterKey: '', afterUploadId: '', limit: 9 })).length,
        1,
      );
      const options = { minPartBytes: 0 };
      await assert.rejects(store.completeUpload(upload, [five, two], options, CONTEXT), failsWith('InvalidPartOrder'));
      await assert.rejects(
        store.completeUpload(upload, [{ partNumber: 3, etag: one.etag }], options, CONTEXT),
        failsWith('InvalidPart'),
      );
      await assert.rejects(
        store.completeUpload(upload, [two, five], { minPartBytes: 8 }, CONTEXT),
        failsWith('EntityTooSmall'),
      );
      const info = await store.completeUpload(upload, [two, five], options, CONTEXT);
      assert.equal(await read('big'), 'second,fifth');
      assert.equal(info.crc64, crc64(Buffer.from('second,fifth')));
      const joined = Buffer.concat([Buffer.from(md5('second,'), 'hex'), Buffer.from(md5('fifth'), 'hex')]);
      assert.equal(info.etag, `${createHash('md5').update(joined).digest('hex')}-2`);
      assert.deepEqual(await events(), ['ObjectCreated:CompleteMultipartUpload big 12 12']);
      await assert.rejects(store.abortUpload(upload), failsWith('NoSuchUpload'));
    });

    test('a bucket goes only when nothing is in it', async () => {
      await fresh();
      const upload = await store.createUpload(bucket, 'k', {});
      await assert.rejects(store.deleteBucket(bucket), failsWith('BucketNotEmpty'));
      await store.abortUpload(upload);
      await put('k', 'x');
      await assert.rejects(store.deleteBucket(bucket), failsWith('BucketNotEmpty'));
      await store.remove(bucket, ['k'], 'ObjectRemoved:DeleteObject', CONTEXT);
      await store.deleteBucket(bucket);
      assert.equal(await store.bucket(bucket), undefined);
      await assert.rejects(put('k', 'x'), failsWith('NoSuchBucket'));
    });

    test('bucket names, owners and acls', async () => {
      await fresh();
      await assert.rejects(store.createBucket('2', bucket, undefined), failsWith('BucketAlreadyExists'));
      for (const name of ['ab', 'Upper', '-a-', 'a..b', '1.2.3.4', 'a_b']) {
        await assert.rejects(store.createBucket(ACCOUNT, name, undefined), failsWith('InvalidBucketName'));
      }
      assert.equal((await store.bucket(bucket))?.acl, 'private');
      await store.setBucketAcl(bucket, 'public-read');
      await store.createBucket(ACCOUNT, bucket, undefined);
      assert.equal((await store.bucket(bucket))?.acl, 'public-read');
      const listed = await store.listBuckets(ACCOUNT, { prefix: bucket, after: '', limit: 10 });
      assert.ok(listed.some((found) => found.name === bucket));
    });

    test('events keep their context, announce themselves, and go when acknowledged', async () => {
      await fresh();
      let announced = 0;
      const subscription = store.onEvent(() => {
        announced += 1;
      });
      await put('k', 'x');
      subscription.dispose();
      await put('l', 'x');
      assert.equal(announced, 1);
      const found = (await store.events(0, 10_000)).filter((event) => event.bucket === bucket);
      assert.deepEqual(found[0]?.context, CONTEXT);
      const last = found.at(-1)?.sequence ?? 0;
      await store.acknowledge(last - 1);
      assert.deepEqual(
        (await store.events(0, 10_000)).map((event) => event.sequence),
        [last],
      );
      await store.acknowledge(last);
      await put('m', 'x');
      assert.ok(((await store.events(0, 1))[0]?.sequence ?? 0) > last);
    });

    test('what an account has is counted: objects, their bytes, and those of parts', async () => {
      const account = '1000000000000009';
      const has = async (objects: number, objectBytes: number): Promise<void> =>
        assert.deepEqual(await store.usage(account), { objects, objectBytes });
      await has(0, 0);
      await store.createBucket(account, 'counted-1', undefined);
      await store.createBucket(account, 'counted-2', undefined);
      await store.put('counted-1', 'a', bytes('12345'), PUT, CONTEXT);
      await store.put('counted-2', 'b', bytes('123'), PUT, CONTEXT);
      await has(2, 8);
      await store.put('counted-1', 'a', bytes('1'), PUT, CONTEXT);
      await has(2, 4);
      const upload = await store.createUpload('counted-1', 'm', {});
      await store.putPart(upload, 1, bytes('1234567'), {});
      const part = await store.putPart(upload, 1, bytes('123456'), {});
      const unused = await store.putPart(upload, 2, bytes('99'), {});
      assert.equal(unused.size, 2);
      await has(2, 12);
      await store.completeUpload(upload, [part], { minPartBytes: 1 }, CONTEXT);
      await has(3, 10);
      const given = await store.createUpload('counted-1', 'n', {});
      await store.putPart(given, 1, bytes('1234'), {});
      await store.abortUpload(given);
      await store.remove('counted-1', ['a', 'm', 'nothing'], 'ObjectRemoved:DeleteObjects', CONTEXT);
      await has(1, 3);
      const source = { bucket: 'counted-2', key: 'b', sourceEtag: md5('123') };
      await store.copy(source, { bucket: 'counted-1', key: 'c' }, {}, CONTEXT);
      await has(2, 6);
    });
  });
}
