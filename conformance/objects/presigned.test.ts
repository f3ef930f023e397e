import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type Endpoint, newBucketName, openEndpoint, ossClient, s3Client, STYLES } from './endpoint.ts';
import { errorCode, raw } from './raw.ts';

let endpoint: Endpoint;
before(async () => {
  endpoint = await openEndpoint();
});
after(() => endpoint.stop());

for (const style of ['path', 'virtual'] as const) {
  test(`URLs presigned by the AWS SDK, ${style} style`, async () => {
    const s3 = s3Client(endpoint, style);
    const Bucket = newBucketName();
    await s3.send(new CreateBucketCommand({ Bucket }));
    const Key = 'dir/pre signed+文?.txt';
    const put = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key, ContentType: 'text/x' }), { expiresIn: 60 });
    const sent = await raw(put, { method: 'PUT', body: 'presigned', headers: { 'content-type': 'text/x' } });
    assert.equal(sent.status, 200, sent.text);
    const withMeta = new PutObjectCommand({ Bucket, Key: 'meta', Body: 'abc', Metadata: { a: '1' } });
    const putMeta = await getSignedUrl(s3, withMeta, { expiresIn: 60 });
    assert.equal(errorCode(await raw(putMeta, { method: 'PUT', body: 'abd' })), 'BadDigest');
    assert.equal((await raw(putMeta, { method: 'PUT', body: 'abc' })).status, 200);
    assert.deepEqual((await s3.send(new GetObjectCommand({ Bucket, Key: 'meta' }))).Metadata, { a: '1' });
    const get = await getSignedUrl(
      s3,
      new GetObjectCommand({
        Bucket,
        Key,
        ResponseContentType: 'text/plain',
        ResponseContentDisposition: 'attachment; filename="文.txt"',
      }),
      { expiresIn: 60 },
    );
    const got = await raw(get);
    assert.equal(got.text, 'presigned');
    assert.equal(got.headers['content-type'], 'text/plain');
    assert.equal(
      Buffer.from(got.headers['content-disposition'] ?? '', 'latin1').toString(),
      'attachment; filename="文.txt"',
    );
    const tampered = await raw(get.replace('text%2Fplain', 'text%2Fhtml'));
    assert.equal(errorCode(tampered), 'SignatureDoesNotMatch');
    const asPut = await raw(get, { method: 'PUT', body: 'x' });
    assert.equal(asPut.status, 403);
    const old = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }), {
      expiresIn: 60,
      signingDate: new Date(Date.now() - 120_000),
    });
    const expired = await raw(old);
    assert.deepEqual([expired.status, errorCode(expired)], [403, 'AccessDenied']);
    assert.match(expired.text, /expired/);
    s3.destroy();
  });
}

for (const style of STYLES) {
  describe(`URLs presigned by ali-oss, ${style} style`, () => {
    const bucket = newBucketName();
    const Key = 'dir/pre signed+文?.txt';
    before(async () => {
      await ossClient(endpoint, { style, v4: false }).putBucket(bucket);
    });

    /** With an IP as endpoint the client names the bucket nowhere in the URL: only a Host header tells. */
    const host = (): Record<string, string> => (style === 'ip' ? { host: `${bucket}.oss-local.aliyuncs.com` } : {});

    // ali-oss refuses to presign with the first version when the endpoint is an IP.
    test('first version', { skip: style !== 'virtual' && 'the client refuses an IP endpoint' }, async () => {
      const oss = ossClient(endpoint, { style, v4: false });
      oss.useBucket(bucket);
      const put = oss.signatureUrl(Key, { method: 'PUT', expires: 60, 'Content-Type': 'text/x' });
      const sent = await raw(put, { method: 'PUT', body: 'presigned', headers: { 'content-type': 'text/x' } });
      assert.equal(sent.status, 200, sent.text);
      const get = oss.signatureUrl(Key, { expires: 60, response: { 'content-type': 'text/plain' } });
      const got = await raw(get);
      assert.equal(got.text, 'presigned');
      assert.equal(got.headers['content-type'], 'text/plain');
      assert.equal(errorCode(await raw(get.replace('text%2Fplain', 'text%2Fhtml'))), 'SignatureDoesNotMatch');
      const expired = await raw(oss.signatureUrl(Key, { expires: -60 }));
      assert.deepEqual([expired.status, errorCode(expired)], [403, 'AccessDenied']);
    });

    test('fourth version', async () => {
      const oss = ossClient(endpoint, { style, v4: true });
      oss.useBucket(bucket);
      const put = await oss.signatureUrlV4('PUT', 60, { headers: { 'Content-Type': 'text/x' } }, Key);
      const sent = await raw(put, {
        method: 'PUT',
        body: 'presigned',
        headers: { 'content-type': 'text/x', ...host() },
      });
      assert.equal(sent.status, 200, sent.text);
      const get = await oss.signatureUrlV4('GET', 60, { queries: { 'response-content-type': 'text/plain' } }, Key);
      const got = await raw(get, { headers: host() });
      assert.equal(got.text, 'presigned');
      assert.equal(got.headers['content-type'], 'text/plain');
      const tampered = await raw(get.replace('text%2Fplain', 'text%2Fhtml'), { headers: host() });
      assert.equal(errorCode(tampered), 'SignatureDoesNotMatch');
      const additional = await oss.signatureUrlV4('GET', 60, { headers: { 'x-own': '1' } }, Key, ['x-own']);
      assert.equal((await raw(additional, { headers: { 'x-own': '1', ...host() } })).text, 'presigned');
      assert.equal((await raw(additional, { headers: { 'x-own': '2', ...host() } })).status, 403);
    });
  });
}
