import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { type Endpoint, newBucketName, ODD_KEYS, openEndpoint, s3Client } from './endpoint.ts';

let endpoint: Endpoint;
before(async () => {
  endpoint = await openEndpoint();
});
after(() => endpoint.stop());

for (const style of ['path', 'virtual'] as const) {
  describe(`objects by the AWS SDK, ${style} style`, () => {
    const Bucket = newBucketName();
    let s3: S3Client;
    before(async () => {
      s3 = s3Client(endpoint, style);
      await s3.send(new CreateBucketCommand({ Bucket }));
    });
    after(() => s3.destroy());

    const text = async (Key: string, Range?: string): Promise<string> => {
      const got = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }));
      return (await got.Body?.transformToString()) ?? '';
    };

    test('what was put is got back, with its headers and metadata', async () => {
      const put = await s3.send(
        new PutObjectCommand({
          Bucket,
          Key: 'hello.txt',
          Body: 'hello world',
          ContentType: 'text/plain; charset=utf-8',
          CacheControl: 'max-age=60',
          ContentDisposition: 'attachment; filename="x.txt"',
          ContentEncoding: 'identity',
          ContentLanguage: 'en',
          Metadata: { owner: 'me', 'mixed-Case': 'Value' },
        }),
      );
      assert.equal(put.ETag, '"5eb63bbbe01eeed093cb22bb8f5acdc3"');
      assert.equal(put.ChecksumCRC32, 'DUoRhQ==');
      const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'hello.txt' }));
      assert.equal(await got.Body?.transformToString(), 'hello world');
      assert.equal(got.ContentType, 'text/plain; charset=utf-8');
      assert.equal(got.CacheControl, 'max-age=60');
      assert.equal(got.ContentDisposition, 'attachment; filename="x.txt"');
      assert.equal(got.ContentEncoding, 'identity');
      assert.equal(got.ContentLanguage, 'en');
      assert.deepEqual(got.Metadata, { owner: 'me', 'mixed-case': 'Value' });
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'hello.txt' }));
      assert.equal(head.ContentLength, 11);
      assert.equal(head.ETag, put.ETag);
      assert.ok(Math.abs((head.LastModified?.getTime() ?? 0) - Date.now()) < 60_000);
    });

    test('an object may be empty', async () => {
      await s3.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: '' }));
      assert.equal(await text('empty'), '');
    });

    test('every key comes back as it was given, by get and by list', async () => {
      const keys = [...ODD_KEYS, '/leading/slash', '//two', 'k'.repeat(1023), 'control\u0001\r\n\ttail '];
      for (const Key of keys)
        await s3.send(new PutObjectCommand({ Bucket, Key: `odd/${Key}`.slice(0, 1023), Body: Key }));
      for (const Key of keys) assert.equal(await text(`odd/${Key}`.slice(0, 1023)), Key);
      const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'odd/' }));
      const expected = keys
        .map((key) => `odd/${key}`.slice(0, 1023))
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      assert.deepEqual(
        listed.Contents?.map((object) => object.Key),
        expected,
      );
      const deleted = await s3.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects: expected.map((Key) => ({ Key })) } }),
      );
      assert.deepEqual(
        deleted.Deleted?.map((object) => object.Key),
        expected,
      );
      assert.equal((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'odd/' }))).KeyCount, 0);
    });

    test('a key with a leading slash is another key', async () => {
      await s3.send(new PutObjectCommand({ Bucket, Key: '/slash', Body: 'with' }));
      await s3.send(new PutObjectCommand({ Bucket, Key: 'slash', Body: 'without' }));
      assert.equal(await text('/slash'), 'with');
      assert.equal(await text('slash'), 'without');
    });

    test('a key above 1023 bytes is refused', async () => {
      await assert.rejects(s3.send(new PutObjectCommand({ Bucket, Key: 'é'.repeat(512), Body: '' })), {
        name: 'InvalidURI',
      });
    });

    test('ranges', async () => {
      await s3.send(new PutObjectCommand({ Bucket, Key: 'digits', Body: '0123456789' }));
      assert.equal(await text('digits', 'bytes=2-4'), '234');
      assert.equal(await text('digits', 'bytes=7-'), '789');
      assert.equal(await text('digits', 'bytes=-2'), '89');
      assert.equal(await text('digits', 'bytes=8-100'), '89');
      const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'digits', Range: 'bytes=0-0' }));
      assert.equal(got.ContentRange, 'bytes 0-0/10');
      assert.equal(got.$metadata.httpStatusCode, 206);
      await assert.rejects(text('digits', 'bytes=10-'), { name: 'InvalidRange' });
    });

    test('conditions', async () => {
      const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'cond', Body: 'x' }));
      const get = (input: object): Promise<unknown> => s3.send(new GetObjectCommand({ Bucket, Key: 'cond', ...input }));
      await get({ IfMatch: ETag });
      await assert.rejects(get({ IfMatch: '"0"' }), { name: 'PreconditionFailed' });
      await assert.rejects(
        get({ IfNoneMatch: ETag }),
        (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode === 304,
      );
      await get({ IfNoneMatch: '"0"' });
      const future = new Date(Date.now() + 60_000);
      await assert.rejects(
        get({ IfModifiedSince: future }),
        (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode === 304,
      );
      await assert.rejects(get({ IfUnmodifiedSince: new Date(0) }), { name: 'PreconditionFailed' });
      await get({ IfUnmodifiedSince: future });
      const put = (input: object): Promise<unknown> =>
        s3.send(new PutObjectCommand({ Bucket, Key: 'cond', Body: 'y', ...input }));
      await assert.rejects(put({ IfNoneMatch: '*' }), { name: 'PreconditionFailed' });
      await assert.rejects(put({ IfMatch: '"0"' }), { name: 'PreconditionFailed' });
      await put({ IfMatch: ETag });
    });

    test('copies keep or replace what describes the object', async () => {
      await s3.send(
        new PutObjectCommand({
          Bucket,
          Key: 'from +%文.txt',
          Body: 'copied',
          ContentType: 'text/x',
          Metadata: { a: '1' },
        }),
      );
      const CopySource = `${Bucket}/${encodeURIComponent('from +%文.txt')}`;
      const copied = await s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource }));
      assert.match(copied.CopyObjectResult?.ETag ?? '', /^"[0-9a-f]{32}"$/);
      const kept = await s3.send(new GetObjectCommand({ Bucket, Key: 'to' }));
      assert.equal(await kept.Body?.transformToString(), 'copied');
      assert.deepEqual([kept.ContentType, kept.Metadata], ['text/x', { a: '1' }]);
      await s3.send(
        new CopyObjectCommand({
          Bucket,
          Key: 'to',
          CopySource,
          MetadataDirective: 'REPLACE',
          ContentType: 'text/y',
          Metadata: { b: '2' },
        }),
      );
      const replaced = await s3.send(new HeadObjectCommand({ Bucket, Key: 'to' }));
      assert.deepEqual([replaced.ContentType, replaced.Metadata], ['text/y', { b: '2' }]);
      await assert.rejects(s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource: `${Bucket}/to` })), {
        name: 'InvalidArgument',
      });
      await assert.rejects(s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource: `${Bucket}/none` })), {
        name: 'NoSuchKey',
      });
      await assert.rejects(
        s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource, CopySourceIfMatch: '"0"' })),
        { name: 'PreconditionFailed' },
      );
      await s3.send(new DeleteObjectCommand({ Bucket, Key: 'from +%文.txt' }));
      assert.equal(await text('to'), 'copied');
    });

    test('what is not there is named', async () => {
      await assert.rejects(text('missing'), { name: 'NoSuchKey' });
      await assert.rejects(s3.send(new HeadObjectCommand({ Bucket, Key: 'missing' })), { name: 'NotFound' });
      await assert.rejects(s3.send(new GetObjectCommand({ Bucket: newBucketName(), Key: 'x' })), {
        name: 'NoSuchBucket',
      });
      await s3.send(new DeleteObjectCommand({ Bucket, Key: 'missing' }));
    });

    test('pages of both list versions', async () => {
      const keys = ['p/a', 'p/b/1', 'p/b/2', 'p/c', 'p/d/1', 'p/e'];
      for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
      const entries: (string | undefined)[] = [];
      let ContinuationToken: string | undefined;
      do {
        const page = await s3.send(
          new ListObjectsV2Command({
            Bucket,
            Prefix: 'p/',
            Delimiter: '/',
            MaxKeys: 2,
            FetchOwner: true,
            ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
          }),
        );
        assert.ok((page.KeyCount ?? 0) <= 2);
        for (const object of page.Contents ?? []) assert.ok(object.Owner?.ID);
        entries.push(...(page.Contents ?? []).map((o) => o.Key), ...(page.CommonPrefixes ?? []).map((p) => p.Prefix));
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      assert.deepEqual(new Set(entries), new Set(['p/a', 'p/b/', 'p/c', 'p/d/', 'p/e']));
      assert.equal(entries.length, 5);
      const first = await s3.send(new ListObjectsCommand({ Bucket, Prefix: 'p/', Delimiter: '/', MaxKeys: 2 }));
      assert.equal(first.IsTruncated, true);
      assert.equal(first.NextMarker, 'p/b/');
      const second = await s3.send(new ListObjectsCommand({ Bucket, Prefix: 'p/', Delimiter: '/', Marker: 'p/b/' }));
      assert.deepEqual(
        second.Contents?.map((o) => o.Key),
        ['p/c', 'p/e'],
      );
      const later = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'p/', StartAfter: 'p/c' }));
      assert.deepEqual(
        later.Contents?.map((o) => o.Key),
        ['p/d/1', 'p/e'],
      );
      const none = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 0 }));
      assert.deepEqual([none.KeyCount, none.IsTruncated], [0, false]);
      const encoded = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'p/', EncodingType: 'url' }));
      assert.equal(encoded.EncodingType, 'url');
    });

    test('what the platform does not have is refused by name', async () => {
      const named = (what: string) => (error: Error) => error.name === 'NotImplemented' && error.message.includes(what);
      const put = (input: object): Promise<unknown> =>
        s3.send(new PutObjectCommand({ Bucket, Key: 'no', Body: 'x', ...input }));
      await assert.rejects(put({ ACL: 'public-read' }), named('x-amz-acl'));
      await assert.rejects(put({ Tagging: 'a=b' }), named('x-amz-tagging'));
      await assert.rejects(put({ StorageClass: 'GLACIER' }), named('x-amz-storage-class'));
      await assert.rejects(put({ ServerSideEncryption: 'AES256' }), named('x-amz-server-side-encryption'));
      await assert.rejects(
        s3.send(new GetObjectCommand({ Bucket, Key: 'hello.txt', VersionId: 'v' })),
        named('versionId'),
      );
      await assert.rejects(
        s3.send(new DeleteObjectCommand({ Bucket, Key: 'hello.txt', IfMatch: '"x"' })),
        named('if-match'),
      );
      await assert.rejects(text('no'), { name: 'NoSuchKey' });
    });
  });
}
