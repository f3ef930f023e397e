import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import type OSS from 'ali-oss';
import { type Endpoint, newBucketName, ODD_KEYS, openEndpoint, ossClient, STYLES } from './endpoint.ts';

let endpoint: Endpoint;
before(async () => {
  endpoint = await openEndpoint();
});
after(() => endpoint.stop());

/** ali-oss itself resolves dot segments before it sends a request, so that such keys never reach a server. */
const KEYS = ODD_KEYS.filter((key) => !key.split('/').some((segment) => segment === '.' || segment === '..'));

interface Failure {
  readonly code?: string;
  readonly status?: number;
  readonly message: string;
}

const named =
  (code: string, what = '') =>
  (error: Failure): boolean => {
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(what), error.message);
    return true;
  };

for (const style of STYLES) {
  for (const v4 of [false, true]) {
    describe(`objects by ali-oss, ${style} style, signature ${v4 ? 'V4' : 'V1'}`, () => {
      const bucket = newBucketName();
      let oss: OSS;
      before(async () => {
        oss = ossClient(endpoint, { style, v4 });
        await oss.putBucket(bucket);
        oss.useBucket(bucket);
      });

      const text = async (key: string, options: OSS.GetObjectOptions = {}): Promise<string> =>
        String((await oss.get(key, options)).content);

      test('what was put is got back, with its headers and metadata', async () => {
        const put = await oss.put('hello.txt', Buffer.from('hello world'), {
          headers: { 'Cache-Control': 'max-age=60', 'Content-Disposition': 'inline' },
          meta: { owner: 'me', uid: 7, pid: 0 },
        });
        assert.equal(put.name, 'hello.txt');
        const { headers } = put.res as { headers: Record<string, string> };
        assert.equal(headers['etag'], '"5eb63bbbe01eeed093cb22bb8f5acdc3"');
        assert.equal(headers['x-oss-hash-crc64ecma'], '5981764153023615706');
        assert.ok(headers['x-oss-request-id']);
        const got = await oss.get('hello.txt');
        assert.equal(String(got.content), 'hello world');
        const answer = (got.res as { headers: Record<string, string> }).headers;
        assert.equal(answer['content-type'], 'text/plain');
        assert.equal(answer['cache-control'], 'max-age=60');
        assert.equal(answer['content-disposition'], 'inline');
        const head = await oss.head('hello.txt');
        assert.deepEqual(head.meta, { owner: 'me', uid: '7', pid: '0' });
        const meta = (await (oss as unknown as { getObjectMeta(name: string): Promise<unknown> }).getObjectMeta(
          'hello.txt',
        )) as { res: { headers: Record<string, string> } };
        assert.equal(meta.res.headers['content-length'], '11');
      });

      test('streams in and out, of a length nobody announced', async () => {
        const bytes = Buffer.alloc(3_000_000, 'tide');
        await oss.putStream('stream', Readable.from([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)]));
        const got = await oss.getStream('stream');
        const hash = createHash('md5');
        for await (const chunk of got.stream as AsyncIterable<Buffer>) hash.update(chunk);
        assert.equal(hash.digest('hex'), createHash('md5').update(bytes).digest('hex'));
      });

      test('every key comes back as it was given, by get and by list', async () => {
        for (const key of KEYS) await oss.put(`odd/${key}`, Buffer.from(key));
        for (const key of KEYS) assert.equal(await text(`odd/${key}`), key);
        const listed = await oss.listV2({ prefix: 'odd/', 'max-keys': '1000' }, {});
        const expected = KEYS.map((key) => `odd/${key}`).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        assert.deepEqual(
          listed.objects.map((object) => object.name),
          expected,
        );
        const deleted = await oss.deleteMulti(expected);
        assert.equal(deleted.deleted?.length, expected.length);
        assert.equal((await oss.deleteMulti(['odd/none'], { quiet: true })).deleted?.length, 0);
        assert.deepEqual((await oss.list({ prefix: 'odd/', 'max-keys': 1000 }, {})).objects ?? [], []);
      });

      test('ranges and conditions', async () => {
        const put = await oss.put('digits', Buffer.from('0123456789'));
        const { etag } = (put.res as { headers: Record<string, string> }).headers;
        assert.equal(await text('digits', { headers: { Range: 'bytes=2-4' } }), '234');
        assert.equal(await text('digits', { headers: { Range: 'bytes=-3' } }), '789');
        await assert.rejects(text('digits', { headers: { Range: 'bytes=10-' } }), named('InvalidRange'));
        await assert.rejects(text('digits', { headers: { 'If-Match': '"0"' } }), named('PreconditionFailed'));
        assert.equal(await text('digits', { headers: { 'If-Match': etag } }), '0123456789');
        const head = await oss.head('digits', { headers: { 'If-None-Match': etag } });
        assert.equal(head.status, 304);
      });

      test('copies keep or replace what describes the object', async () => {
        await oss.put('from +文.txt', Buffer.from('copied'), {
          mime: 'text/x',
          meta: { a: '1' } as unknown as OSS.UserMeta,
        });
        const copied = await oss.copy('to', 'from +文.txt');
        assert.ok(copied.data?.etag);
        const kept = await oss.head('to');
        assert.deepEqual(kept.meta, { a: '1' });
        assert.equal((kept.res as { headers: Record<string, string> }).headers['content-type'], 'text/x');
        await oss.copy('to', `/${bucket}/from +文.txt`, { meta: { b: '2' } as unknown as OSS.UserMeta });
        assert.deepEqual((await oss.head('to')).meta, { b: '2' });
        await oss.putMeta('to', { c: '3' } as unknown as OSS.UserMeta, {});
        assert.deepEqual((await oss.head('to')).meta, { c: '3' });
        assert.equal(await text('to'), 'copied');
        await assert.rejects(oss.copy('x', 'none'), named('NoSuchKey'));
        const etag = (copied.data as { etag: string }).etag;
        await assert.rejects(oss.copy('x', 'to', { headers: { 'If-Match': '"0"' } }), named('PreconditionFailed'));
        const unchanged = await oss.copy('x', 'to', { headers: { 'If-None-Match': etag } });
        assert.equal((unchanged.res as { status: number }).status, 304);
      });

      test('pages of both list versions', async () => {
        const keys = ['p/a', 'p/b/1', 'p/b/2', 'p/c', 'p/d/1', 'p/e'];
        for (const key of keys) await oss.put(key, Buffer.from(key));
        const seen: string[] = [];
        let marker: string | undefined;
        do {
          const page = await oss.list(
            { prefix: 'p/', delimiter: '/', 'max-keys': 2, ...(marker === undefined ? {} : { marker }) },
            {},
          );
          seen.push(...(page.objects ?? []).map((object) => object.name), ...(page.prefixes ?? []));
          marker = page.isTruncated ? page.nextMarker : undefined;
        } while (marker !== undefined);
        assert.deepEqual(seen.toSorted(), ['p/a', 'p/b/', 'p/c', 'p/d/', 'p/e']);
        const first = await oss.listV2({ prefix: 'p/', 'max-keys': '4', 'fetch-owner': true }, {});
        assert.ok(first.objects[0]?.owner?.id);
        const token = (first as unknown as { nextContinuationToken: string }).nextContinuationToken;
        const second = await oss.listV2({ prefix: 'p/', 'continuation-token': token, 'max-keys': '4' }, {});
        assert.deepEqual(
          second.objects.map((object) => object.name),
          ['p/d/1', 'p/e'],
        );
      });

      test('what is not there is named', async () => {
        await assert.rejects(oss.get('missing'), named('NoSuchKey'));
        await assert.rejects(oss.head('missing'), named('NoSuchKey'));
        await oss.delete('missing');
        await assert.rejects(ossInBucket(newBucketName()).get('x'), named('NoSuchBucket'));
      });

      const ossInBucket = (name: string): OSS => {
        const other = ossClient(endpoint, { style, v4 });
        other.useBucket(name);
        return other;
      };

      test('an object may be protected from being overwritten', async () => {
        const headers = { 'x-oss-forbid-overwrite': 'true' };
        await oss.put('once', Buffer.from('1'), { headers });
        await assert.rejects(oss.put('once', Buffer.from('2'), { headers }), named('FileAlreadyExists'));
        assert.equal(await text('once'), '1');
      });

      test('what the platform does not have is refused by name', async () => {
        await assert.rejects(oss.append('log', Buffer.from('x')), named('NotImplemented', 'append'));
        await assert.rejects(oss.putACL('hello.txt', 'public-read'), named('NotImplemented', 'acl'));
        await assert.rejects(oss.getACL('hello.txt'), named('NotImplemented', 'acl'));
        await assert.rejects(
          oss.put('x.txt', Buffer.from('x'), { headers: { 'x-oss-object-acl': 'private' } }),
          named('NotImplemented', 'x-oss-object-acl'),
        );
        await assert.rejects(
          oss.get('hello.txt', { process: 'image/resize,w_1' }),
          named('NotImplemented', 'x-oss-process'),
        );
        await assert.rejects(oss.getBucketLifecycle(bucket), named('NotImplemented', 'lifecycle'));
      });
    });
  }
}
