import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import type OSS from 'ali-oss';
import { type Endpoint, newBucketName, openEndpoint, ossClient, s3Client, STYLES } from './endpoint.ts';

const MIB = 1024 * 1024;

let endpoint: Endpoint;
let folder: string;
before(async () => {
  endpoint = await openEndpoint();
  folder = await mkdtemp(join(tmpdir(), 'tidemill-multipart-'));
});
after(async () => {
  await endpoint.stop();
  await rm(folder, { recursive: true, force: true });
});

function multipartEtag(parts: readonly Buffer[]): string {
  const md5s = parts.map((part) => createHash('md5').update(part).digest());
  return `"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-${parts.length}"`;
}

describe('multipart uploads by the AWS SDK', () => {
  const Bucket = newBucketName();
  let s3: S3Client;
  before(async () => {
    s3 = s3Client(endpoint, 'path');
    await s3.send(new CreateBucketCommand({ Bucket }));
  });
  after(() => s3.destroy());

  const start = async (Key: string, input: object = {}): Promise<string> => {
    const created = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...input }));
    assert.equal(created.Key, Key);
    return created.UploadId ?? '';
  };

  test('parts become one object, in order, with headers of the start', async () => {
    const Key = 'big +文.bin';
    const UploadId = await start(Key, { ContentType: 'video/mp4', Metadata: { a: '1' } });
    const parts = [randomBytes(5 * MIB), randomBytes(5 * MIB + 1), randomBytes(17)];
    const sent = [2, 1, 3].map(async (PartNumber) => {
      const Body = parts[PartNumber - 1] ?? Buffer.alloc(0);
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
      return { PartNumber, ETag: ETag ?? '' };
    });
    const Parts = (await Promise.all(sent)).toSorted((a, b) => a.PartNumber - b.PartNumber);
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId, MaxParts: 2 }));
    assert.deepEqual(
      listed.Parts?.map((part) => part.PartNumber),
      [1, 2],
    );
    assert.equal(listed.IsTruncated, true);
    const rest = await s3.send(
      new ListPartsCommand({ Bucket, Key, UploadId, PartNumberMarker: listed.NextPartNumberMarker ?? '' }),
    );
    assert.deepEqual(
      rest.Parts?.map((part) => [part.PartNumber, part.Size]),
      [[3, 17]],
    );
    const done = await s3.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
    );
    assert.equal(done.ETag, multipartEtag(parts));
    const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
    assert.equal(got.ContentType, 'video/mp4');
    assert.deepEqual(got.Metadata, { a: '1' });
    const whole = Buffer.concat(parts);
    assert.ok(whole.equals(Buffer.from((await got.Body?.transformToByteArray()) ?? [])));
    const across = await s3.send(new GetObjectCommand({ Bucket, Key, Range: `bytes=${5 * MIB - 3}-${10 * MIB + 5}` }));
    assert.ok(
      whole.subarray(5 * MIB - 3, 10 * MIB + 6).equals(Buffer.from((await across.Body?.transformToByteArray()) ?? [])),
    );
    await assert.rejects(s3.send(new ListPartsCommand({ Bucket, Key, UploadId })), { name: 'NoSuchUpload' });
  });

  test('a part may be replaced, and copied from an object or a range of it', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'source', Body: Buffer.alloc(6 * MIB, 'abcdefgh') }));
    const Key = 'assembled';
    const UploadId = await start(Key);
    const part = { Bucket, Key, UploadId };
    await s3.send(new UploadPartCommand({ ...part, PartNumber: 2, Body: 'first try' }));
    const last = await s3.send(new UploadPartCommand({ ...part, PartNumber: 2, Body: 'second try' }));
    const CopySource = `${Bucket}/source`;
    const copied = await s3.send(
      new UploadPartCopyCommand({ ...part, PartNumber: 1, CopySource, CopySourceRange: `bytes=1-${5 * MIB}` }),
    );
    await assert.rejects(
      s3.send(new UploadPartCopyCommand({ ...part, PartNumber: 3, CopySource, CopySourceRange: 'bytes=1-99999999' })),
      { name: 'InvalidArgument' },
    );
    const Parts = [
      { PartNumber: 1, ETag: copied.CopyPartResult?.ETag ?? '' },
      { PartNumber: 2, ETag: last.ETag ?? '' },
    ];
    await s3.send(new CompleteMultipartUploadCommand({ ...part, MultipartUpload: { Parts } }));
    const tail = await s3.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=-13' }));
    assert.equal(await tail.Body?.transformToString(), 'habsecond try'.replace('hab', 'gha'));
  });

  test('wrong completions are named and change nothing', async () => {
    const Key = 'wrong';
    const UploadId = await start(Key);
    const { ETag = '' } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'small' }));
    await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 2, Body: 'small' }));
    const complete = (Parts: { PartNumber: number; ETag: string }[]): Promise<unknown> =>
      s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
    await assert.rejects(complete([{ PartNumber: 3, ETag }]), { name: 'InvalidPart' });
    await assert.rejects(complete([{ PartNumber: 1, ETag: '"0"' }]), { name: 'InvalidPart' });
    const one = { PartNumber: 1, ETag };
    const two = { PartNumber: 2, ETag };
    await assert.rejects(complete([two, one]), { name: 'InvalidPartOrder' });
    await assert.rejects(complete([one, two]), { name: 'EntityTooSmall' });
    await assert.rejects(complete([]), { name: 'MalformedXML' });
    await complete([two]);
    const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
    assert.equal(await got.Body?.transformToString(), 'small');
  });

  test('uploads in progress are listed, hold the bucket, and can be aborted', async () => {
    const own = newBucketName();
    await s3.send(new CreateBucketCommand({ Bucket: own }));
    const ids: string[] = [];
    for (const Key of ['u/a', 'u/a', 'u/b', 'v']) {
      ids.push((await s3.send(new CreateMultipartUploadCommand({ Bucket: own, Key }))).UploadId ?? '');
    }
    const first = await s3.send(new ListMultipartUploadsCommand({ Bucket: own, Prefix: 'u/', MaxUploads: 1 }));
    assert.equal(first.IsTruncated, true);
    const rest = await s3.send(
      new ListMultipartUploadsCommand({
        Bucket: own,
        Prefix: 'u/',
        KeyMarker: first.NextKeyMarker ?? '',
        UploadIdMarker: first.NextUploadIdMarker ?? '',
      }),
    );
    const seen = [...(first.Uploads ?? []), ...(rest.Uploads ?? [])].map((upload) => upload.UploadId);
    assert.deepEqual(new Set(seen), new Set(ids.slice(0, 3)));
    await assert.rejects(s3.send(new DeleteBucketCommand({ Bucket: own })), { name: 'BucketNotEmpty' });
    const keys = ['u/a', 'u/a', 'u/b', 'v'];
    for (const [index, UploadId] of ids.entries()) {
      await s3.send(new AbortMultipartUploadCommand({ Bucket: own, Key: keys[index] ?? '', UploadId }));
    }
    await assert.rejects(s3.send(new AbortMultipartUploadCommand({ Bucket: own, Key: 'v', UploadId: ids[3] ?? '' })), {
      name: 'NoSuchUpload',
    });
    await s3.send(new DeleteBucketCommand({ Bucket: own }));
  });
});

for (const style of STYLES) {
  for (const v4 of [false, true]) {
    describe(`multipart uploads by ali-oss, ${style} style, signature ${v4 ? 'V4' : 'V1'}`, () => {
      const bucket = newBucketName();
      let oss: OSS;
      before(async () => {
        oss = ossClient(endpoint, { style, v4 });
        await oss.putBucket(bucket);
        oss.useBucket(bucket);
      });

      test('a file goes up in parts, and is copied in parts', async () => {
        const bytes = randomBytes(450 * 1024);
        const file = join(folder, `${bucket}.bin`);
        await writeFile(file, bytes);
        const up = await oss.multipartUpload('dir/big +文.bin', file, {
          partSize: 100 * 1024,
          parallel: 3,
          mime: 'video/mp4',
          meta: { by: 'parts' } as never,
          headers: { 'x-oss-forbid-overwrite': 'true' },
        });
        const parts = [0, 1, 2, 3, 4].map((n) => bytes.subarray(n * 102_400, (n + 1) * 102_400));
        assert.equal((up as unknown as { etag: string }).etag, multipartEtag(parts));
        const got = await oss.get('dir/big +文.bin');
        assert.ok(bytes.equals(got.content as Buffer));
        const { headers } = got.res as { headers: Record<string, string> };
        assert.equal(headers['x-oss-object-type'], 'Multipart');
        assert.equal(headers['content-type'], 'video/mp4');
        assert.equal(headers['x-oss-meta-by'], 'parts');
        await oss.put('small', bytes);
        const plain = (await oss.head('small')).res as { headers: Record<string, string> };
        assert.equal(headers['x-oss-hash-crc64ecma'], plain.headers['x-oss-hash-crc64ecma']);
        await oss.multipartUploadCopy('copied', { sourceKey: 'dir/big +文.bin', sourceBucketName: bucket } as never, {
          partSize: 100 * 1024,
          parallel: 2,
        });
        assert.ok(bytes.equals((await oss.get('copied')).content as Buffer));
      });

      test('by hand: initiate, upload, list, abort', async () => {
        const file = join(folder, `${bucket}.bin`);
        const { uploadId } = await oss.initMultipartUpload('by/hand');
        await oss.uploadPart('by/hand', uploadId, 1, file, 0, 1000);
        const listed = (await (oss as unknown as { listParts(n: string, u: string): Promise<unknown> }).listParts(
          'by/hand',
          uploadId,
        )) as {
          parts: { Size: string };
        };
        assert.equal(listed.parts.Size, '1000');
        const uploads = (await oss.listUploads({ prefix: 'by/', 'max-uploads': 10 })) as unknown as {
          uploads: { uploadId: string }[];
        };
        assert.deepEqual(
          uploads.uploads.map((upload) => upload.uploadId),
          [uploadId],
        );
        await oss.abortMultipartUpload('by/hand', uploadId);
        await assert.rejects(oss.completeMultipartUpload('by/hand', uploadId, []), (error: { code: string }) =>
          ['NoSuchUpload', 'MalformedXML'].includes(error.code),
        );
      });
    });
  }
}
