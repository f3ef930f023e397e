import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateBucketCommand, GetObjectCommand, ListBucketsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { type Endpoint, newBucketName, openEndpoint, ossClient, s3Client } from './endpoint.ts';
import { errorCode, raw } from './raw.ts';

let endpoint: Endpoint;
before(async () => {
  endpoint = await openEndpoint();
});
after(() => endpoint.stop());

test('anonymous callers get what the bucket acl gives them', async () => {
  const bucket = newBucketName();
  const oss = ossClient(endpoint, { style: 'path', v4: false });
  await oss.putBucket(bucket);
  oss.useBucket(bucket);
  await oss.put('x.txt', Buffer.from('x'));
  const url = new URL(`/${bucket}/x.txt`, endpoint.url);
  const list = new URL(`/${bucket}?max-keys=1`, endpoint.url);
  const expect = async (answers: { get: number; put: number; list: number }): Promise<void> => {
    assert.equal((await raw(url)).status, answers.get);
    assert.equal((await raw(url, { method: 'PUT', body: 'y' })).status, answers.put);
    assert.equal((await raw(list)).status, answers.list);
    assert.equal((await raw(new URL(`/${bucket}?acl`, endpoint.url))).status, 403);
  };
  await expect({ get: 403, put: 403, list: 403 });
  await oss.putBucketACL(bucket, 'public-read');
  await expect({ get: 200, put: 403, list: 200 });
  await oss.putBucketACL(bucket, 'public-read-write');
  await expect({ get: 200, put: 200, list: 200 });
  assert.equal(errorCode(await raw(endpoint.url)), 'AccessDenied');
  assert.equal(errorCode(await raw(new URL(`/${newBucketName()}`, endpoint.url), { method: 'PUT' })), 'AccessDenied');
});

test('wrong keys, wrong secrets and wrong clocks are refused in both dialects', async () => {
  const bucket = newBucketName();
  const lies = [
    { accessKeyId: 'nobody', accessKeySecret: 'x', code: 'InvalidAccessKeyId' },
    { accessKeyId: endpoint.accessKeyId, accessKeySecret: 'x', code: 'SignatureDoesNotMatch' },
  ];
  for (const { code, ...keys } of lies) {
    const s3 = s3Client(endpoint, 'path', {
      credentials: { accessKeyId: keys.accessKeyId, secretAccessKey: keys.accessKeySecret },
    });
    await assert.rejects(s3.send(new ListBucketsCommand({})), { name: code });
    s3.destroy();
    for (const v4 of [false, true]) {
      await assert.rejects(ossClient(endpoint, { style: 'path', v4 }, keys).putBucket(bucket), { code });
    }
  }
  const late = s3Client(endpoint, 'path', { systemClockOffset: -16 * 60_000 });
  await assert.rejects(late.send(new ListBucketsCommand({})), { name: 'RequestTimeTooSkewed' });
  for (const v4 of [false, true]) {
    const oss = ossClient(endpoint, { style: 'path', v4 }, { amendTimeSkewed: -16 * 60_000 } as never);
    (oss as unknown as { options: { amendTimeSkewed: number } }).options.amendTimeSkewed = -16 * 60_000;
    await assert.rejects(oss.putBucket(bucket), { code: 'RequestTimeTooSkewed' });
  }
});

test('temporary credentials work with their token and not without', async (t) => {
  const { temporary } = endpoint;
  if (temporary === undefined) return t.skip('a running server hands these out to functions only');
  const Bucket = newBucketName();
  const credentials = { accessKeyId: temporary.id, secretAccessKey: temporary.secret, sessionToken: temporary.token };
  const owner = s3Client(endpoint, 'path');
  await owner.send(new CreateBucketCommand({ Bucket }));
  owner.destroy();
  const s3 = s3Client(endpoint, 'path', { credentials });
  await assert.rejects(s3.send(new CreateBucketCommand({ Bucket: newBucketName() })), { name: 'AccessDenied' });
  await s3.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'x' }));
  const { sessionToken: _, ...withoutToken } = credentials;
  const without = s3Client(endpoint, 'path', { credentials: withoutToken });
  await assert.rejects(without.send(new GetObjectCommand({ Bucket, Key: 'x' })), { name: 'InvalidAccessKeyId' });
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  assert.equal((await raw(await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: 'x' })))).text, 'x');
  for (const v4 of [false, true]) {
    const keys = { accessKeyId: temporary.id, accessKeySecret: temporary.secret };
    const oss = ossClient(endpoint, { style: 'virtual', v4 }, { ...keys, stsToken: temporary.token });
    oss.useBucket(Bucket);
    assert.equal(String((await oss.get('x')).content), 'x');
    const url = v4 ? await oss.signatureUrlV4('GET', 60, undefined, 'x') : oss.signatureUrl('x');
    assert.equal((await raw(url)).text, 'x');
    const bare = ossClient(endpoint, { style: 'virtual', v4 }, keys);
    bare.useBucket(Bucket);
    await assert.rejects(bare.get('x'), { code: 'InvalidAccessKeyId' });
  }
  s3.destroy();
  without.destroy();
});

test('another account sees neither bucket nor objects, and cannot take the name', async (t) => {
  const other = endpoint.stranger;
  if (other === undefined) return t.skip('a running server has one account');
  const bucket = newBucketName();
  const own = ossClient(endpoint, { style: 'path', v4: true });
  await own.putBucket(bucket);
  own.useBucket(bucket);
  await own.put('x', Buffer.from('x'));
  const stranger = ossClient(
    endpoint,
    { style: 'path', v4: true },
    { accessKeyId: other.id, accessKeySecret: other.secret },
  );
  stranger.useBucket(bucket);
  await assert.rejects(stranger.get('x'), { code: 'AccessDenied' });
  await assert.rejects(stranger.put('x', Buffer.from('y')), { code: 'AccessDenied' });
  await assert.rejects(stranger.deleteBucket(bucket), { code: 'AccessDenied' });
  await assert.rejects(stranger.putBucket(bucket), { code: 'BucketAlreadyExists' });
  stranger.useBucket((await stranger.putBucket(newBucketName())).bucket);
  await assert.rejects(stranger.copy('y', `/${bucket}/x`), { code: 'AccessDenied' });
});

test('a page of another origin may call', async () => {
  const answer = await raw(endpoint.url, { headers: { origin: 'https://example.com' } });
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  const preflight = await raw(new URL('/any/key', endpoint.url), {
    method: 'OPTIONS',
    headers: {
      origin: 'https://example.com',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'x-oss-date,authorization',
    },
  });
  assert.equal(preflight.status, 200);
  assert.match(preflight.headers['access-control-allow-methods'] ?? '', /PUT/);
  assert.equal(preflight.headers['access-control-allow-headers'], 'x-oss-date,authorization');
});

test('a refused upload never starts when the client asks first', async () => {
  const url = new URL(`/${newBucketName()}/x`, endpoint.url);
  const refused = await raw(url, {
    method: 'PUT',
    headers: { expect: '100-continue', 'content-length': '10' },
    body: '0123456789',
  });
  assert.equal(refused.continued, false);
  assert.equal(errorCode(refused), 'NoSuchBucket');
  const bucket = newBucketName();
  const oss = ossClient(endpoint, { style: 'path', v4: false });
  await oss.putBucket(bucket, { headers: { 'x-oss-acl': 'public-read-write' } } as never);
  const accepted = await raw(new URL(`/${bucket}/x`, endpoint.url), {
    method: 'PUT',
    headers: { expect: '100-continue', 'content-length': '10' },
    body: '0123456789',
  });
  assert.deepEqual([accepted.status, accepted.continued], [200, true]);
});

test('hostile requests get an answer that names the fault', async () => {
  const bucket = newBucketName();
  const oss = ossClient(endpoint, { style: 'path', v4: false });
  await oss.putBucket(bucket, { headers: { 'x-oss-acl': 'public-read-write' } } as never);
  const at = (path: string): string => `/${bucket}${path}`;
  const send = async (options: Parameters<typeof raw>[1]): Promise<string> => {
    const answer = await raw(endpoint.url, options);
    return `${answer.status} ${errorCode(answer)}`;
  };
  const deletion = (body: string, length?: string): Parameters<typeof raw>[1] => ({
    method: 'POST',
    path: at('?delete'),
    headers: {
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      ...(length === undefined ? {} : { 'content-length': length }),
    },
    body,
  });
  const bomb = '<!DOCTYPE a [<!ENTITY x "y">]><Delete><Object><Key>&x;</Key></Object></Delete>';
  assert.equal(await send(deletion(bomb)), '400 MalformedXML');
  assert.equal(await send(deletion('<Delete><Object>')), '400 MalformedXML');
  assert.equal(await send(deletion('<Other/>')), '400 MalformedXML');
  assert.equal(await send(deletion('<Delete></Delete>')), '400 MalformedXML');
  assert.equal(await send(deletion(`<Delete>${' '.repeat(1024 * 1024)}</Delete>`)), '400 EntityTooLarge');
  assert.equal(await send({ path: at('/%zz') }), '400 InvalidArgument');
  assert.equal(await send({ path: at('/%ff') }), '400 InvalidArgument');
  assert.equal(await send({ path: at('/a%00b'), method: 'PUT', body: 'x' }), '400 InvalidObjectName');
  assert.equal(await send({ path: at('/x'), method: 'PATCH' }), '405 MethodNotAllowed');
  assert.equal(await send({ path: at('/x'), headers: { authorization: 'Basic abc' } }), '400 InvalidArgument');
  assert.equal(await send({ path: at('/x'), headers: { authorization: 'OSS a' } }), '400 InvalidArgument');
  assert.equal(
    await send({ path: at('/x'), method: 'PUT', body: 'x', headers: { 'content-md5': 'AAAA' } }),
    '400 InvalidDigest',
  );
  const wrongMd5 = { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' };
  assert.equal(await send({ path: at('/x'), method: 'PUT', body: 'x', headers: wrongMd5 }), '400 InvalidDigest');
  const wrongCrc = { 'x-amz-checksum-crc32': 'AAAAAA==' };
  assert.equal(await send({ path: at('/x'), method: 'PUT', body: 'x', headers: wrongCrc }), '400 BadDigest');
  const tooLarge = { 'content-length': String(5 * 1024 ** 3 + 1), expect: '100-continue' };
  assert.equal(await send({ path: at('/x'), method: 'PUT', headers: tooLarge }), '400 EntityTooLarge');
  assert.equal(await send({ path: at(`/x?${'a'.repeat(15_000)}=1`) }), '501 NotImplemented');
  assert.equal(await send({ path: at('/x') }), '404 NoSuchKey');
});
