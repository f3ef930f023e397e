import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketAclCommand,
  PutObjectCommand,
  CreateBucketCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { systemClock, systemRandom } from '../../../src/adapters/clock-system/index.ts';
import { openObjectStore } from '../../../src/adapters/objects-fs/store.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { type Principal, rootPrincipal } from '../../../src/core/domain/credentials.ts';
import type { Identity } from '../../../src/core/ports/identity.ts';
import { createObjectsDoor } from '../../../src/doors/objects/door.ts';
import { ROUTES } from '../../../src/doors/objects/routes.ts';
import { AccessDecisions, readPolicy } from '../../../src/services/access/index.ts';
import { partial } from '../door-world.ts';

const MINE = '1234567890123456';
const OTHER = '9999999999999999';
const ALICE: Principal = { account: MINE, kind: 'user', arn: `acs:ram::${MINE}:user/alice`, name: 'alice' };
const PRINCIPALS: Readonly<Record<string, Principal>> = {
  ROOT: rootPrincipal(MINE),
  ALICE,
  OTHERROOT: rootPrincipal(OTHER),
};

const POLICY = readPolicy(
  JSON.stringify({
    Version: '1',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['oss:GetObject', 'oss:PutObject', 'oss:DeleteObject'],
        Resource: 'acs:oss:*:*:photos/own/*',
      },
      {
        Effect: 'Allow',
        Action: 'oss:ListObjects',
        Resource: 'acs:oss:*:*:photos',
        Condition: { StringLike: { 'oss:Prefix': 'own/*' } },
      },
      { Effect: 'Deny', Action: 'oss:*', Resource: ['acs:oss:*:*:shared/secret/*', 'acs:oss:*:*:photos/own/locked/*'] },
    ],
  }),
);

const dir = mkdtempSync(join(tmpdir(), 'tm-objects-access-'));
const store = await openObjectStore({ dir, clock: systemClock, random: systemRandom });
const policiesOf = (principal: Principal) =>
  principal === ALICE ? [{ name: 'alice', source: 'custom' as const, document: POLICY }] : [];
const door = createObjectsDoor({
  store,
  identity: partial<Identity>('identity', {
    noteUse() {},
    findKey: (id) => (PRINCIPALS[id] === undefined ? undefined : { secret: 'S', principal: PRINCIPALS[id] }),
  }),
  access: new AccessDecisions({ policiesOf, onChange: () => ({ dispose() {} }) }, systemClock),
  clock: systemClock,
  random: systemRandom,
  region: 'local',
  logger: silentLogger,
  callers: { callerOf: () => undefined },
});
const server = createServer().on('request', door.handle).on('checkContinue', door.checkContinue);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const clients: S3Client[] = [];
after(async () => {
  for (const client of clients) client.destroy();
  server.closeAllConnections();
  server.close();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

function clientOf(accessKeyId: string): S3Client {
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'local',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey: 'S' },
  });
  clients.push(client);
  return client;
}

const root = clientOf('ROOT');
const alice = clientOf('ALICE');
const stranger = clientOf('OTHERROOT');
for (const Bucket of ['photos', 'shared']) await root.send(new CreateBucketCommand({ Bucket }));
for (const [Bucket, Key] of [
  ['photos', 'own/a'],
  ['photos', 'own/locked/a'],
  ['photos', 'other/a'],
  ['shared', 'open/a'],
  ['shared', 'secret/a'],
] as const)
  await root.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
await root.send(new PutBucketAclCommand({ Bucket: 'shared', ACL: 'public-read-write' }));

const denied = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Error && error.name === 'AccessDenied', String(error));
  assert.match(error.message, message);
  return true;
};

test('every operation has a right of the object store', () => {
  for (const { name, action } of ROUTES) assert.match(action, /^oss:[A-Z]\w+$/, name);
});

test('a user does what its policies say, and the refusal names action, resource and policy', async () => {
  const read = (Key: string) => alice.send(new GetObjectCommand({ Bucket: 'photos', Key }));
  assert.equal(await (await read('own/a')).Body?.transformToString(), 'own/a');
  await assert.rejects(
    read('other/a'),
    denied(/user\/alice.* oss:GetObject on acs:oss:local:\d+:photos\/other\/a: no policy/),
  );
  await assert.rejects(read('own/locked/a'), denied(/statement 3 of the custom policy alice denies it explicitly/));
  await alice.send(new PutObjectCommand({ Bucket: 'photos', Key: 'own/b', Body: 'b' }));
  await assert.rejects(
    alice.send(new PutObjectCommand({ Bucket: 'photos', Key: 'x', Body: 'b' })),
    denied(/oss:PutObject/),
  );
});

test('listing is bound to its prefix', async () => {
  const list = (Prefix?: string) => alice.send(new ListObjectsV2Command({ Bucket: 'photos', Prefix }));
  assert.equal((await list('own/')).KeyCount, 3);
  await assert.rejects(list('other/'), denied(/oss:ListObjects/));
  await assert.rejects(list(), denied(/oss:ListObjects/));
});

test('copying takes the right to read and to write, deleting many one for each', async () => {
  const copy = (CopySource: string, Key: string) =>
    alice.send(new CopyObjectCommand({ Bucket: 'photos', Key, CopySource }));
  await copy('photos/own/a', 'own/copy');
  await assert.rejects(copy('photos/other/a', 'own/copy'), denied(/oss:GetObject/));
  await assert.rejects(copy('photos/own/a', 'other/copy'), denied(/oss:PutObject/));
  const remove = (...keys: string[]) =>
    alice.send(new DeleteObjectsCommand({ Bucket: 'photos', Delete: { Objects: keys.map((Key) => ({ Key })) } }));
  await assert.rejects(remove('own/copy', 'other/a'), denied(/oss:DeleteObject on \S+photos\/other\/a/));
  await remove('own/copy');
  assert.ok(await root.send(new GetObjectCommand({ Bucket: 'photos', Key: 'other/a' })));
});

test('an open bucket is open where policies are silent; what they deny stays denied', async () => {
  const read = (client: S3Client, Key: string) => client.send(new GetObjectCommand({ Bucket: 'shared', Key }));
  assert.ok(await read(alice, 'open/a'));
  assert.ok(await read(stranger, 'secret/a'));
  await assert.rejects(read(alice, 'secret/a'), denied(/denies it explicitly/));
});

test('nobody reaches the closed buckets of another account, whatever the policies', async () => {
  await assert.rejects(
    stranger.send(new GetObjectCommand({ Bucket: 'photos', Key: 'own/a' })),
    denied(/belongs to another account/),
  );
});
