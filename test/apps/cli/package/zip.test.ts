import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type Entry, fromBufferPromise } from 'yauzl';
import { packFolder } from '../../../../src/apps/cli/package/zip.ts';
import { crc64 } from '../../../../src/core/base/crc64.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-pack-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(path: string, content = path, mode = 0o644): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), content);
  chmodSync(join(folder, path), mode);
}

async function entriesOf(bytes: Buffer): Promise<Map<string, { mode: number; content: string }>> {
  const zip = await fromBufferPromise(bytes);
  const found = new Map<string, { mode: number; content: string }>();
  for await (const entry of zip.eachEntry() as AsyncIterable<Entry>) {
    const chunks: Buffer[] = [];
    if (!entry.fileName.endsWith('/')) {
      for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) chunks.push(chunk);
    }
    found.set(entry.fileName, { mode: entry.externalFileAttributes >>> 16, content: Buffer.concat(chunks).toString() });
  }
  return found;
}

test('same content and modes give the same bytes, whatever the times and the order of making', async () => {
  file('b.txt');
  file('a/c.txt');
  const first = await packFolder(folder);
  rmSync(join(folder, 'b.txt'));
  file('b.txt');
  utimesSync(join(folder, 'a/c.txt'), 1, 1);
  const second = await packFolder(folder);
  assert.deepEqual(second.bytes, first.bytes);
  assert.equal(first.checksum, crc64(first.bytes));
  assert.deepEqual([...(await entriesOf(first.bytes)).keys()], ['a/c.txt', 'b.txt']);
  chmodSync(join(folder, 'b.txt'), 0o755);
  assert.notEqual((await packFolder(folder)).checksum, first.checksum);
});

test('mode bits, links inside and empty folders are kept; links to the outside become what they point at', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'tidemill-outside-'));
  try {
    writeFileSync(join(outside, 'shared.js'), 'shared');
    file('bootstrap', '#!/bin/sh\n', 0o755);
    mkdirSync(join(folder, 'empty'));
    symlinkSync('bootstrap', join(folder, 'start'));
    symlinkSync(outside, join(folder, 'lib'));
    const entries = await entriesOf((await packFolder(folder)).bytes);
    assert.equal(entries.get('bootstrap')?.mode, 0o100755);
    assert.deepEqual(entries.get('start'), { mode: 0o120777, content: 'bootstrap' });
    assert.equal(entries.get('lib/shared.js')?.content, 'shared');
    assert.ok(entries.has('empty/'));
  } finally {
    rmSync(outside, { recursive: true });
  }
});

test('.fcignore is honoured; node_modules is packed, .git and the manifest are not', async () => {
  file('.fcignore', '*.log\n/build/\n!keep.log\n');
  for (const path of [
    'index.js',
    'x.log',
    'keep.log',
    'build/out.js',
    'src/build/in.js',
    '.git/HEAD',
    's.yaml',
    'node_modules/a/index.js',
  ])
    file(path);
  const entries = await entriesOf((await packFolder(folder)).bytes);
  assert.deepEqual([...entries.keys()], ['index.js', 'keep.log', 'node_modules/a/index.js', 'src/build/in.js']);
});

test('an empty folder, a dangling link and a circle of links are refused by name', async () => {
  await assert.rejects(packFolder(folder), /has no files to deploy/);
  symlinkSync('nowhere', join(folder, 'dangling'));
  await assert.rejects(packFolder(folder), /the link dangling -> nowhere leads nowhere/);
  rmSync(join(folder, 'dangling'));
  file('a/x');
  const outside = mkdtempSync(join(tmpdir(), 'tidemill-circle-'));
  symlinkSync(outside, join(outside, 'self'));
  symlinkSync(outside, join(folder, 'out'));
  try {
    await assert.rejects(packFolder(folder), /circle/);
  } finally {
    rmSync(outside, { recursive: true });
  }
});
