import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketAclCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  PutBucketAclCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { type Endpoint, newBucketName, openEndpoint, ossClient, s3Client, STYLES } from './endpoint.ts';

let endpoint: Endpoint;
before(async () => {
  endpoint = await openEndpoint();
});
after(() => endpoint.stop());

for (const style of STYLES) {
  for (const v4 of [false, true]) {
    test(`buckets by ali-oss, ${style} style, signature ${v4 ? 'V4' : 'V1'}`, async () => {
      const oss = ossClient(endpoint, { style, v4 });
      const name = newBucketName();
      const created = await oss.putBucket(name);
      assert.equal(created.bucket, name);
      const listed = (await oss.listBuckets({ prefix: name, 'max-keys': 10 })) as unknown as {
        buckets: { name: string; region: string }[];
      };
      assert.deepEqual(
        listed.buckets.map((bucket) => bucket.name),
        [name],
      );
      const { bucket } = (await oss.getBucketInfo(name)) as { bucket: Record<string, string> };
      assert.equal(bucket['Name'], name);
      assert.equal(bucket['Location'], `oss-${endpoint.region}`);
      const location = (await oss.getBucketLocation(name)) as { location: string };
      assert.equal(location.location, `oss-${endpoint.region}`);
      assert.equal((await oss.getBucketACL(name)).acl, 'private');
      await oss.putBucketACL(name, 'public-read');
      assert.equal((await oss.getBucketACL(name)).acl, 'public-read');
      oss.useBucket(name);
      await oss.put('x', Buffer.from('x'));
      await assert.rejects(oss.deleteBucket(name), { code: 'BucketNotEmpty' });
      await oss.delete('x');
      await oss.deleteBucket(name);
      await assert.rejects(oss.getBucketInfo(name), { code: 'NoSuchBucket' });
    });
  }
}

for (const style of ['path', 'virtual'] as const) {
  describe(`buckets by the AWS SDK, ${style} style`, () => {
    test('their life', async () => {
      const s3 = s3Client(endpoint, style);
      const Bucket = newBucketName();
      await s3.send(new CreateBucketCommand({ Bucket }));
      await s3.send(new CreateBucketCommand({ Bucket }));
      await s3.send(new HeadBucketCommand({ Bucket }));
      const listed = await s3.send(new ListBucketsCommand({ Prefix: Bucket }));
      assert.deepEqual(
        listed.Buckets?.map((bucket) => bucket.Name),
        [Bucket],
      );
      assert.ok(listed.Owner?.ID);
      const location = await s3.send(new GetBucketLocationCommand({ Bucket }));
      assert.equal(location.LocationConstraint, endpoint.region);
      const acl = await s3.send(new GetBucketAclCommand({ Bucket }));
      assert.deepEqual(
        acl.Grants?.map((grant) => [grant.Grantee?.Type, grant.Permission]),
        [['CanonicalUser', 'FULL_CONTROL']],
      );
      await s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read' }));
      assert.equal((await s3.send(new GetBucketAclCommand({ Bucket }))).Grants?.length, 2);
      await s3.send(new PutObjectCommand({ Bucket, Key: 'x', Body: 'x' }));
      await assert.rejects(s3.send(new DeleteBucketCommand({ Bucket })), { name: 'BucketNotEmpty' });
      s3.destroy();
    });

    test('pages of buckets', async () => {
      const s3 = s3Client(endpoint, style);
      const prefix = newBucketName();
      for (const end of ['a', 'b', 'c']) await s3.send(new CreateBucketCommand({ Bucket: `${prefix}-${end}` }));
      const first = await s3.send(new ListBucketsCommand({ Prefix: prefix, MaxBuckets: 2 }));
      assert.equal(first.Buckets?.length, 2);
      assert.ok(first.ContinuationToken);
      const second = await s3.send(
        new ListBucketsCommand({ Prefix: prefix, ContinuationToken: first.ContinuationToken }),
      );
      assert.deepEqual(
        second.Buckets?.map((bucket) => bucket.Name),
        [`${prefix}-c`],
      );
      s3.destroy();
    });

    test('wrong names and missing features are named', async () => {
      const s3 = s3Client(endpoint, style);
      if (style === 'path') {
        await assert.rejects(s3.send(new CreateBucketCommand({ Bucket: 'No_Good' })), { name: 'InvalidBucketName' });
      }
      const Bucket = newBucketName();
      await assert.rejects(s3.send(new HeadBucketCommand({ Bucket })), { name: 'NotFound' });
      await assert.rejects(
        s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } })),
        (error: Error) => error.name === 'NotImplemented' && error.message.includes('LocationConstraint'),
      );
      await s3.send(new CreateBucketCommand({ Bucket }));
      await assert.rejects(
        s3.send(new GetBucketPolicyCommand({ Bucket })),
        (error: Error) => error.name === 'NotImplemented' && error.message.includes('policy'),
      );
      s3.destroy();
    });
  });
}
