import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import type OSS from 'ali-oss';
import { type Endpoint, newBucketName, openEndpoint, ossClient } from './endpoint.ts';
import { errorCode, raw, type RawAnswer } from './raw.ts';

let endpoint: Endpoint;
let oss: OSS;
const bucket = newBucketName();
before(async () => {
  endpoint = await openEndpoint();
  oss = ossClient(endpoint, { style: 'path', v4: false });
  await oss.putBucket(bucket);
  oss.useBucket(bucket);
});
after(() => endpoint.stop());

async function post(fields: Record<string, string>, file: string | undefined, fileField = 'file'): Promise<RawAnswer> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  if (file !== undefined) form.append(fileField, new Blob([file], { type: 'text/x' }), 'häng.txt');
  const encoded = new Request('http://form', { method: 'POST', body: form });
  const body = Buffer.from(await encoded.arrayBuffer());
  const headers = { 'content-type': encoded.headers.get('content-type') ?? '', 'content-length': String(body.length) };
  return raw(new URL(`/${bucket}`, endpoint.url), { method: 'POST', headers, body });
}

const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

const ossFields = (conditions: unknown[], expiration = inAnHour()): Record<string, string> =>
  oss.calculatePostSignature({ expiration, conditions }) as unknown as Record<string, string>;

test('a form signed by ali-oss puts the file, with its headers and metadata', async () => {
  const fields = ossFields([['content-length-range', 1, 100], { bucket }, ['starts-with', '$key', 'form/']]);
  const answer = await post(
    {
      ...fields,
      key: 'form/${filename}',
      'x-oss-meta-a': 'ü',
      'Cache-Control': 'no-cache',
      success_action_status: '201',
    },
    'from a form',
  );
  assert.equal(answer.status, 201, answer.text);
  assert.match(answer.text, /<Key>form\/häng.txt<\/Key>/);
  const got = await oss.get('form/häng.txt');
  assert.equal(String(got.content), 'from a form');
  const { headers } = got.res as { headers: Record<string, string> };
  assert.equal(headers['content-type'], 'text/x');
  assert.equal(headers['cache-control'], 'no-cache');
  assert.equal(Buffer.from(headers['x-oss-meta-a'] ?? '', 'latin1').toString(), 'ü');
});

test('answers: 204 by default, 200 when asked, or a redirect', async () => {
  const fields = { ...ossFields([{ bucket }]), key: 'k' };
  assert.equal((await post(fields, 'x')).status, 204);
  assert.equal((await post({ ...fields, success_action_status: '200' }, 'x')).status, 200);
  const redirected = await post({ ...fields, success_action_redirect: 'https://example.com/done?a=b' }, 'x');
  assert.equal(redirected.status, 303);
  assert.match(redirected.headers.location ?? '', /^https:\/\/example\.com\/done\?a=b&bucket=/);
});

test('a form outside its policy stores nothing', async () => {
  const key = 'refused';
  const check = async (fields: Record<string, string>, file: string | undefined, expected: string): Promise<void> => {
    const answer = await post({ key, ...fields }, file);
    assert.equal(`${answer.status} ${errorCode(answer)}`, expected, answer.text);
  };
  await check(ossFields([['starts-with', '$key', 'form/']]), 'x', '403 AccessDenied');
  await check(ossFields([['content-length-range', 1, 3]]), 'four', '400 EntityTooLarge');
  await check(ossFields([['content-length-range', 5, 9]]), 'four', '400 EntityTooSmall');
  await check(ossFields([], new Date(0).toISOString()), 'x', '403 AccessDenied');
  await check({ ...ossFields([]), Signature: 'AAAA' }, 'x', '403 SignatureDoesNotMatch');
  await check({ ...ossFields([]), OSSAccessKeyId: 'nobody' }, 'x', '403 InvalidAccessKeyId');
  await check({}, 'x', '403 AccessDenied');
  await check(ossFields([]), undefined, '400 InvalidArgument');
  await check({ ...ossFields([]), callback: 'x' }, 'x', '501 NotImplemented');
  await check({ ...ossFields([]), 'x-oss-object-acl': 'private' }, 'x', '501 NotImplemented');
  await check({ ...ossFields([]), key: '' }, 'x', '400 InvalidArgument');
  const wrongField = await post({ key, ...ossFields([]) }, 'x', 'upload');
  assert.equal(errorCode(wrongField), 'InvalidArgument');
  await assert.rejects(oss.head(key), { code: 'NoSuchKey' });
});

test('a broken form stores nothing', async () => {
  const { policy = '', OSSAccessKeyId = '', Signature = '' } = ossFields([]);
  const part = (name: string, value: string): string =>
    `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const head =
    part('policy', policy) +
    part('OSSAccessKeyId', OSSAccessKeyId) +
    part('Signature', Signature) +
    part('key', 'broken');
  const body = `${head}--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\ncut off`;
  const headers = { 'content-type': 'multipart/form-data; boundary=b', 'content-length': String(body.length) };
  const answer = await raw(new URL(`/${bucket}`, endpoint.url), { method: 'POST', headers, body });
  assert.equal(`${answer.status} ${errorCode(answer)}`, '400 InvalidArgument', answer.text);
  await assert.rejects(oss.head('broken'), { code: 'NoSuchKey' });
  const noBoundary = { 'content-type': 'multipart/form-data', 'content-length': '0' };
  assert.equal(
    errorCode(await raw(new URL(`/${bucket}`, endpoint.url), { method: 'POST', headers: noBoundary })),
    'InvalidArgument',
  );
});

test('forms signed with version 4 of OSS and of AWS', async () => {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
  const schemes = [
    {
      prefix: 'x-oss-',
      version: 'x-oss-signature-version',
      algorithm: 'OSS4-HMAC-SHA256',
      secret: 'aliyun_v4',
      product: 'oss',
      end: 'aliyun_v4_request',
    },
    {
      prefix: 'x-amz-',
      version: 'x-amz-algorithm',
      algorithm: 'AWS4-HMAC-SHA256',
      secret: 'AWS4',
      product: 's3',
      end: 'aws4_request',
    },
  ];
  for (const scheme of schemes) {
    const scope = [time.slice(0, 8), endpoint.region, scheme.product, scheme.end];
    const key = `v4-${scheme.product}`;
    const named = {
      key,
      [scheme.version]: scheme.algorithm,
      [`${scheme.prefix}credential`]: `${endpoint.accessKeyId}/${scope.join('/')}`,
      [`${scheme.prefix}date`]: time,
    };
    const conditions = Object.entries(named).map(([name, value]) => ({ [name]: value }));
    const policy = Buffer.from(
      JSON.stringify({ expiration: inAnHour(), conditions: [...conditions, { bucket }] }),
    ).toString('base64');
    const signingKey = scope.reduce<Buffer | string>(
      (folded, part) => hmac(folded, part),
      scheme.secret + endpoint.accessKeySecret,
    );
    const signature = hmac(signingKey, policy).toString('hex');
    const fields = { ...named, policy, [`${scheme.prefix}signature`]: signature };
    const answer = await post(fields, 'signed');
    assert.equal(answer.status, 204, answer.text);
    assert.equal(String((await oss.get(key)).content), 'signed');
    const forged = await post({ ...fields, [`${scheme.prefix}signature`]: '0'.repeat(64) }, 'forged');
    assert.equal(forged.status, 403);
    if (scheme.product === 's3') assert.equal((await post({ ...fields, 'x-amz-meta-extra': '1' }, 'x')).status, 403);
  }
});

test('a form refused for its fields is refused at once, however large the file', async () => {
  const answer = await post({ key: 'k' }, 'x'.repeat(3_000_000));
  assert.equal(`${answer.status} ${errorCode(answer)}`, '403 AccessDenied');
  assert.equal((await post({ ...ossFields([]), key: 'large' }, 'x'.repeat(3_000_000))).status, 204);
  assert.equal((await oss.head('large')).status, 200);
});
