import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { TidemillError } from '../domain/errors.ts';
import type { CodePackage } from '../domain/function.ts';
import type { CodeCache } from './code-cache.ts';

export interface CodeCacheHarness {
  readonly cache: CodeCache;
  /** Stores an archive of these files (path to content) where the cache finds it. */
  store(files: Readonly<Record<string, string>>): Promise<CodePackage>;
  /** Stores bytes that are no archive. */
  storeJunk(): Promise<CodePackage>;
  close(): Promise<void>;
}

/** What every code cache promises. */
export function codeCacheSuite(name: string, make: () => Promise<CodeCacheHarness>): void {
  const check = (what: string, body: (harness: CodeCacheHarness) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const harness = await make();
      try {
        await body(harness);
      } finally {
        await harness.close();
      }
    });
  };

  check('a package becomes a folder with its files', async ({ cache, store }) => {
    const held = await cache.package(await store({ 'index.js': 'code', 'lib/a.txt': 'a' }));
    assert.equal(await readFile(join(held.path, 'index.js'), 'utf8'), 'code');
    assert.equal(await held.look('lib/a.txt'), 'file');
    assert.equal(await held.look('lib'), 'folder');
    assert.equal(await held.look('lib/b.txt'), 'missing');
    assert.equal(await held.look('../..'), 'missing');
  });

  check('callers at the same time get the same folder', async ({ cache, store }) => {
    const code = await store({ a: 'a' });
    const held = await Promise.all(Array.from({ length: 20 }, () => cache.package(code)));
    assert.equal(new Set(held.map((one) => one.path)).size, 1);
  });

  check('of two layers the earlier wins', async ({ cache, store }) => {
    const first = await store({ both: 'first', one: '1' });
    const second = await store({ both: 'second', two: '2' });
    const held = await cache.layers([first, second]);
    assert.equal(await readFile(join(held.path, 'both'), 'utf8'), 'first');
    assert.equal(await held.look('one'), 'file');
    assert.equal(await held.look('two'), 'file');
  });

  check('a bad archive and a missing one are different errors', async ({ cache, storeJunk }) => {
    const codeOf = (error: unknown) => (error instanceof TidemillError ? error.code : String(error));
    assert.equal(await cache.package(await storeJunk()).then(() => 'ok', codeOf), 'InvalidArgument');
    const lost: CodePackage = { owner: '1234567890123456', digest: '0'.repeat(64), checksum: '0', size: 1 };
    assert.equal(await cache.package(lost).then(() => 'ok', codeOf), 'InternalServerError');
  });

  check('a failed unpack can be tried again', async ({ cache, store, storeJunk }) => {
    const junk = await storeJunk();
    await assert.rejects(cache.package(junk));
    await assert.rejects(cache.layers([await store({ a: 'a' }), junk]));
    await assert.rejects(cache.package(junk));
  });
}
