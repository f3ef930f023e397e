import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  CreateMultipartUploadCommand,
} from '@aws-sdk/client-s3';
import { type Endpoint, newBucketName, openEndpoint, s3Client } from './endpoint.ts';
import { errorCode, raw } from './raw.ts';

let endpoint: Endpoint;
let s3: S3Client;
const Bucket = newBucketName();
before(async () => {
  endpoint = await openEndpoint();
  s3 = s3Client(endpoint, 'path');
  await s3.send(new CreateBucketCommand({ Bucket }));
});
after(async () => {
  s3.destroy();
  await endpoint.stop();
});

const CONTENT = Buffer.alloc(1_500_000, 'tide and mill; ');

test('a stream of known length goes up in unsigned chunks with a checksum in the trailer', async () => {
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const) {
    const Key = `stream-${ChecksumAlgorithm}`;
    const Body = Readable.from([CONTENT.subarray(0, 7), CONTENT.subarray(7, 700_000), CONTENT.subarray(700_000)]);
    await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: CONTENT.length, ChecksumAlgorithm }));
    const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
    assert.ok(CONTENT.equals(Buffer.from((await got.Body?.transformToByteArray()) ?? [])));
    assert.equal(got.ContentEncoding, undefined);
  }
});

test('buffers of every checksum algorithm, and of none', async () => {
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const) {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'x', Body: CONTENT, ChecksumAlgorithm }));
  }
  const plain = s3Client(endpoint, 'path', {
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await plain.send(new PutObjectCommand({ Bucket, Key: 'x', Body: CONTENT }));
  await assert.rejects(
    plain.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'y', ChecksumCRC64NVME: 'AAAAAAAAAAA=' })),
    { name: 'BadDigest' },
  );
  // CRC-64/NVME of "123456789".
  await plain.send(new PutObjectCommand({ Bucket, Key: 'x', Body: '123456789', ChecksumCRC64NVME: 'rosUhgp5mIg=' }));
  await assert.rejects(
    plain.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'y', ContentMD5: 'AAAAAAAAAAAAAAAAAAAAAA==' })),
    { name: 'BadDigest' },
  );
  plain.destroy();
});

test('parts go up as streams too', async () => {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key: 'm', ChecksumAlgorithm: 'CRC32' }),
  );
  const Body = Readable.from([CONTENT]);
  const part = await s3.send(
    new UploadPartCommand({ Bucket, Key: 'm', UploadId, PartNumber: 1, Body, ContentLength: CONTENT.length }),
  );
  assert.equal(part.ETag, `"${createHash('md5').update(CONTENT).digest('hex')}"`);
});

/** A client of its own for `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: the SDK for JavaScript never signs chunks. */
function signedChunks(
  path: string,
  chunks: readonly Buffer[],
  trailer?: { name: string; value: string },
): { headers: Record<string, string>; body: Buffer } {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${endpoint.region}/s3/aws4_request`;
  const hash = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
  const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
  const key = scope
    .split('/')
    .reduce<Buffer | string>((folded, part) => hmac(folded, part), `AWS4${endpoint.accessKeySecret}`);
  const sign = (text: string): string => hmac(key, text).toString('hex');
  const headers: Record<string, string> = {
    'content-encoding': 'aws-chunked',
    host: endpoint.url.host,
    'x-amz-content-sha256': `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailer === undefined ? '' : '-TRAILER'}`,
    'x-amz-date': time,
    'x-amz-decoded-content-length': String(chunks.reduce((sum, chunk) => sum + chunk.length, 0)),
    ...(trailer === undefined ? {} : { 'x-amz-trailer': trailer.name }),
  };
  const names = Object.keys(headers).toSorted();
  const canonical = [
    'PUT',
    path,
    '',
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n');
  let previous = sign(['AWS4-HMAC-SHA256', time, scope, hash(canonical)].join('\n'));
  headers['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${endpoint.accessKeyId}/${scope},SignedHeaders=${names.join(';')},Signature=${previous}`;
  const parts: Buffer[] = [];
  for (const chunk of [...chunks, Buffer.alloc(0)]) {
    previous = sign(['AWS4-HMAC-SHA256-PAYLOAD', time, scope, previous, hash(''), hash(chunk)].join('\n'));
    parts.push(Buffer.from(`${chunk.length.toString(16)};chunk-signature=${previous}\r\n`), chunk);
    if (chunk.length > 0) parts.push(Buffer.from('\r\n'));
  }
  if (trailer !== undefined) {
    const line = `${trailer.name}:${trailer.value}`;
    const signature = sign(['AWS4-HMAC-SHA256-TRAILER', time, scope, previous, hash(`${line}\n`)].join('\n'));
    parts.push(Buffer.from(`${line}\r\nx-amz-trailer-signature:${signature}\r\n`));
  }
  parts.push(Buffer.from('\r\n'));
  return { headers, body: Buffer.concat(parts) };
}

test('signed chunks, with and without a signed trailer', async () => {
  const path = `/${Bucket}/signed`;
  const url = new URL(path, endpoint.url);
  const chunks = [Buffer.alloc(100_000, 'a'), Buffer.from('123456789')];
  const plain = await raw(url, { method: 'PUT', ...signedChunks(path, chunks) });
  assert.equal(plain.status, 200, plain.text);
  const trailer = { name: 'x-amz-checksum-crc32', value: 'y/Q5Jg==' };
  const checked = await raw(url, { method: 'PUT', ...signedChunks(path, [Buffer.from('123456789')], trailer) });
  assert.equal(checked.status, 200, checked.text);
  assert.equal(checked.headers['x-amz-checksum-crc32'], trailer.value);
  const wrong = await raw(url, { method: 'PUT', ...signedChunks(path, [Buffer.from('12345678')], trailer) });
  assert.equal(errorCode(wrong), 'BadDigest');
  const { headers, body } = signedChunks(path, chunks);
  body[body.indexOf('123456789')] = 0x39;
  assert.equal(errorCode(await raw(url, { method: 'PUT', headers, body })), 'SignatureDoesNotMatch');
  const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'signed' }));
  assert.equal(await got.Body?.transformToString(), '123456789');
});
