import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { blobId } from '../../../src/core/ports/blob-store.ts';
import type { CodePackage } from '../../../src/core/domain/function.ts';
import { CodeFolders } from '../../../src/adapters/code-fs/code-folders.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import type { Clock } from '../../../src/core/base/clock.ts';
import type { Random } from '../../../src/core/base/random.ts';
import { codeCacheSuite } from '../../../src/core/ports/code-cache.suite.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { MemoryBlobs, packageOf, packageOfBytes, zipOf } from './memory-blobs.ts';

/** How the cache calls the folder of a package. */
function nameOf({ owner, digest }: CodePackage): string {
  return `${owner}-${digest}`;
}

let counter = 0;
const random: Random = {
  bytes: (count) => Uint8Array.from({ length: count }, (_, index) => (counter++ * 7 + index) % 256),
  float: () => 0.5,
};

async function open(
  context: TestContext,
  options: { folder?: string; budgetBytes?: number; bootId?: string; clock?: Clock } = {},
): Promise<{ cache: CodeFolders; blobs: MemoryBlobs; folder: string }> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'code-fs-')));
  if (options.folder === undefined) context.after(() => rm(folder, { recursive: true, force: true }));
  const blobs = new MemoryBlobs();
  const cache = await CodeFolders.open({
    folder,
    blobs,
    budgetBytes: options.budgetBytes ?? 1e9,
    random,
    clock: options.clock ?? systemClock,
    log: silentLogger,
    bootId: options.bootId ?? 'boot-1',
  });
  return { cache, blobs, folder };
}

async function names(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name !== 'boot').sort();
}

codeCacheSuite('code folders', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'code-fs-'));
  const blobs = new MemoryBlobs();
  const cache = await CodeFolders.open({
    folder,
    blobs,
    budgetBytes: 1e9,
    random,
    clock: systemClock,
    log: silentLogger,
  });
  return {
    cache,
    store: (files) =>
      packageOf(
        blobs,
        Object.entries(files).map(([name, content]) => ({ name, content })),
      ),
    storeJunk: () => packageOfBytes(blobs, Buffer.from('no archive, whatever its name may say')),
    async close() {
      await cache.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

function refuses(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof TidemillError, String(error));
    assert.equal(error.code, 'InvalidArgument');
    assert.match(error.message, message);
    return true;
  };
}

test('files keep content and run bits, everybody may read, nobody may write', async (context) => {
  const { cache, blobs, folder } = await open(context);
  const code = await packageOf(blobs, [
    { name: 'index.js', content: 'exports.handler = 1;', mode: 0o100600 },
    { name: 'bootstrap', content: '#!/bin/sh\n', mode: 0o100755 },
    { name: 'lib/deep/x.txt', content: 'x' },
    { name: 'empty/' },
    { name: 'lib/link', content: 'deep/x.txt', mode: 0o120777 },
  ]);
  const held = await cache.package(code);
  assert.equal(held.path, join(folder, nameOf(code), 'tree'));
  assert.equal(await readFile(join(held.path, 'index.js'), 'utf8'), 'exports.handler = 1;');
  assert.equal((await stat(join(held.path, 'index.js'))).mode & 0o777, 0o444);
  assert.equal((await stat(join(held.path, 'bootstrap'))).mode & 0o777, 0o555);
  assert.equal((await stat(join(held.path, 'lib'))).mode & 0o777, 0o755);
  assert.equal(await readlink(join(held.path, 'lib/link')), 'deep/x.txt');
  assert.equal(await held.look('bootstrap'), 'executable');
  assert.equal(await held.look('index.js'), 'file');
  assert.equal(await held.look('lib/link'), 'file');
  assert.equal(await held.look('empty'), 'folder');
  assert.equal(await held.look('nothing'), 'missing');
  assert.equal(await held.look('../../boot'), 'missing');
  assert.deepEqual(await names(folder), [nameOf(code)]);
});

test('a hundred callers at once share one unpack', async (context) => {
  const { cache, blobs } = await open(context);
  const code = await packageOf(blobs, [{ name: 'a', content: 'a' }]);
  const held = await Promise.all(Array.from({ length: 100 }, () => cache.package(code)));
  assert.equal(blobs.opened.get(blobId(code)), 1);
  assert.equal(new Set(held.map((one) => one.path)).size, 1);
});

test('a large archive is unpacked through a temporary file that is gone afterwards', async (context) => {
  const { cache, blobs, folder } = await open(context);
  const noise = Buffer.alloc(9 * 1024 * 1024);
  for (let i = 0; i < noise.length; i += 4) noise.writeUInt32LE(Math.imul(i, 2_654_435_761) >>> 0, i);
  const store = await zipOf([{ name: 'noise.bin', content: noise }]);
  const code = await packageOfBytes(blobs, store);
  const held = await cache.package(code);
  assert.deepEqual(await readFile(join(held.path, 'noise.bin')), noise);
  assert.deepEqual(await names(folder), [nameOf(code)]);
});

const BAD: readonly { what: string; items: Parameters<typeof zipOf>[0]; message: RegExp }[] = [
  {
    what: 'a link out of the package',
    items: [{ name: 'a/link', content: '../../etc/passwd', mode: 0o120777 }],
    message: /leads out/,
  },
  {
    what: 'an absolute link',
    items: [{ name: 'link', content: '/etc/passwd', mode: 0o120777 }],
    message: /absolute/,
  },
  {
    what: 'a file below a link',
    items: [
      { name: 'd', content: 'x', mode: 0o120777 },
      { name: 'd/f', content: 'boom' },
    ],
    message: /lies below/,
  },
  { what: 'a device', items: [{ name: 'dev', mode: 0o020666 }], message: /device, pipe or socket/ },
  { what: 'nothing', items: [], message: /no files|not a readable zip/ },
];

for (const { what, items, message } of BAD) {
  test(`an archive with ${what} is refused and leaves nothing behind`, async (context) => {
    const { cache, blobs, folder } = await open(context);
    const code = await packageOf(blobs, items);
    await assert.rejects(cache.package(code), refuses(message));
    assert.deepEqual(await names(folder), []);
  });
}

test('a path that climbs out is refused, however the archive spells it', async (context) => {
  const { cache, blobs, folder } = await open(context);
  const zip = await zipOf([{ name: 'aa/evil.txt', content: 'boom' }]);
  const evil = Buffer.from(zip.toString('latin1').replaceAll('aa/evil', '../evil'), 'latin1');
  await assert.rejects(cache.package(await packageOfBytes(blobs, evil)), refuses(/\.\.|relative/));
  assert.deepEqual(await names(folder), []);
});

test('an entry that inflates to more than it declares is refused while it streams', async (context) => {
  const { cache, blobs, folder } = await open(context);
  const zip = await zipOf([{ name: 'bomb', content: Buffer.alloc(5_000_000) }]);
  const directory = zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
  zip.writeUInt32LE(1000, directory + 24);
  await assert.rejects(cache.package(await packageOfBytes(blobs, zip)), refuses(/bomb' is damaged: too many bytes/));
  assert.deepEqual(await names(folder), []);
});

test('what is no zip, and a missing blob, are told apart', async (context) => {
  const { cache, blobs } = await open(context);
  const junk = await packageOfBytes(blobs, Buffer.from('this is no zip archive at all, not even close'));
  await assert.rejects(cache.package(junk), refuses(/not a readable zip/));
  const lost = { owner: '1234567890123456', digest: 'f'.repeat(64), checksum: '0', size: 1 };
  await assert.rejects(cache.package(lost), { code: 'InternalServerError' });
});

test('layers merge with the earlier one winning, also file against folder', async (context) => {
  const { cache, blobs } = await open(context);
  const first = await packageOf(blobs, [
    { name: 'both.txt', content: 'first' },
    { name: 'thing', content: 'a file' },
    { name: 'lib/one', content: '1' },
    { name: 'alias', content: 'lib', mode: 0o120777 },
  ]);
  const second = await packageOf(blobs, [
    { name: 'both.txt', content: 'second' },
    { name: 'thing/inner', content: 'hidden' },
    { name: 'lib/two', content: '2' },
    { name: 'alias/three', content: 'hidden too' },
  ]);
  const merged = await cache.layers([first, second]);
  assert.equal(await readFile(join(merged.path, 'both.txt'), 'utf8'), 'first');
  assert.equal(await readFile(join(merged.path, 'thing'), 'utf8'), 'a file');
  assert.deepEqual((await readdir(join(merged.path, 'lib'))).sort(), ['one', 'two']);
  const reversed = await cache.layers([second, first]);
  assert.equal(await readFile(join(reversed.path, 'both.txt'), 'utf8'), 'second');
  assert.notEqual(reversed.path, merged.path);
  const single = await cache.layers([first]);
  assert.equal(single.path, (await cache.package(first)).path);
});

test('the least recently used folders go when the budget is exceeded, never held ones', async (context) => {
  const { cache, blobs, folder } = await open(context, { budgetBytes: 30_000 });
  const codes = await Promise.all(
    [1, 2, 3].map((n) => packageOf(blobs, [{ name: 'f', content: `${n}`.repeat(9000) }])),
  );
  const [a, b, c] = codes;
  assert.ok(a && b && c);
  const heldA = await cache.package(a);
  (await cache.package(b)).release();
  const heldC = await cache.package(c);
  await cache.close();
  assert.deepEqual(await names(folder), [nameOf(a), nameOf(c)].sort());
  heldA.release();
  heldA.release();
  await cache.package(b);
  await cache.close();
  assert.deepEqual(await names(folder), [nameOf(b), nameOf(c)].sort());
  assert.equal(await heldC.look('f'), 'file');
});

test('a folder evicted a moment ago can be had again at once', async (context) => {
  const { cache, blobs } = await open(context, { budgetBytes: 1 });
  const code = await packageOf(blobs, [{ name: 'f', content: 'f' }]);
  for (let round = 0; round < 5; round++) {
    const held = await cache.package(code);
    assert.equal(await held.look('f'), 'file');
    held.release();
  }
});

test('a new process takes over complete folders and sweeps the rest', async (context) => {
  const { cache, blobs, folder } = await open(context);
  const code = await packageOf(blobs, [{ name: 'f', content: 'f' }]);
  await cache.package(code);
  await mkdir(join(folder, 'tmp-half', 'tree'), { recursive: true });
  await writeFile(join(folder, 'tmp-spool'), 'half a zip');
  await mkdir(join(folder, 'e'.repeat(64), 'tree'), { recursive: true });
  const again = await open(context, { folder });
  assert.deepEqual(await names(folder), [nameOf(code)]);
  await again.cache.package(code);
  assert.equal(again.blobs.opened.size, 0);
});

test('after a restart of the machine nothing on disk is trusted', async (context) => {
  const { cache, blobs, folder } = await open(context);
  await cache.package(await packageOf(blobs, [{ name: 'f', content: 'f' }]));
  await open(context, { folder, bootId: 'boot-2' });
  assert.deepEqual(await names(folder), []);
});

test('what took long to make outlives what is merely newer', async (context) => {
  let [now, step] = [0, 1_000];
  const clock = { ...systemClock, monotonic: () => (now += step) };
  const { cache, blobs, folder } = await open(context, { budgetBytes: 45_000, clock });
  const made: string[] = [];
  for (const name of ['slow', 'fast', 'newest']) {
    const code = await packageOf(blobs, [{ name, content: 'x'.repeat(9_000) }]);
    (await cache.package(code)).release();
    made.push(nameOf(code));
    step = 0;
  }
  await cache.close();
  const [slow, , newest] = made;
  assert.deepEqual(await names(folder), [slow ?? '', newest ?? ''].sort());
});

test('accounts share no folder of the same bytes', async (context) => {
  const { cache, blobs, folder } = await open(context);
  const code = await packageOf(blobs, [{ name: 'f', content: 'same' }]);
  const first = await cache.package(code);
  const theirs = { ...code, owner: '2234567890123456' };
  // They have no such blob: of the first account's folder they get nothing.
  await assert.rejects(cache.package(theirs), /not in the blob store/);
  assert.deepEqual(await names(folder), [nameOf(code)]);
  first.release();
});
