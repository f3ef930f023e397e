import assert from 'node:assert/strict';
import { copyFile, open, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openBlobStore } from '../../../src/adapters/blobs-fs/index.ts';
import { type BlobStorePlace, blobStoreSuite } from '../../../src/core/ports/blob-store.suite.ts';
import type { Vault } from '../../../src/core/ports/vault.ts';
import { noSmallDisk, onSmallDisk } from '../full-disk.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { temporaryVault } from '../temporary-vault.ts';

function fileOf(dir: string, id: string): string {
  const [account = '', digest = ''] = id.split('/');
  return join(dir, 'accounts', account, digest.slice(0, 2), digest);
}

function placeIn(dir: string, vault?: Vault): BlobStorePlace {
  return {
    open: () => openBlobStore({ dir, ...(vault === undefined ? {} : { vault }) }),
    async damage(id) {
      const file = await open(fileOf(dir, id), 'r+');
      await file.write(Uint8Array.of(1), 0, 1, 1000);
      await file.close();
    },
    leftovers: async () => (await readdir(join(dir, 'incoming'))).length,
  };
}

blobStoreSuite('blobs-fs', async (test) => placeIn(await temporaryFolder(test)));
blobStoreSuite('blobs-fs, sealed', async (test) => {
  const dir = await temporaryFolder(test);
  return placeIn(dir, await temporaryVault(test));
});

describe('blobs-fs with a vault', () => {
  it('has no byte of a package in the clear, and tells its plain size', async (test) => {
    const dir = await temporaryFolder(test);
    const store = await openBlobStore({ dir, vault: await temporaryVault(test) });
    const { digest } = await store.put('1234567890123456', Buffer.alloc(100_000, 'secret '));
    const id = `1234567890123456/${digest}`;
    assert.equal((await store.open(id))?.size, 100_000);
    assert.equal((await readFile(fileOf(dir, id))).includes('secret'), false);
  });

  it('a blob that was put into the folder of another account does not open', async (test) => {
    const dir = await temporaryFolder(test);
    const store = await openBlobStore({ dir, vault: await temporaryVault(test) });
    const { digest } = await store.put('1234567890123456', Uint8Array.of(1));
    await store.put('6543210987654321', Uint8Array.of(1));
    await copyFile(fileOf(dir, `1234567890123456/${digest}`), fileOf(dir, `6543210987654321/${digest}`));
    await assert.rejects(store.get(`6543210987654321/${digest}`), /does not open/);
  });
});

describe('blobs-fs', () => {
  it('removes what a killed process left behind, and only that', async (test) => {
    const dir = await temporaryFolder(test);
    await openBlobStore({ dir });
    await writeFile(join(dir, 'incoming', 'fresh'), 'of another process that is at work');
    await writeFile(join(dir, 'incoming', 'old'), 'left behind');
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    await utimes(join(dir, 'incoming', 'old'), longAgo, longAgo);
    await openBlobStore({ dir });
    assert.deepEqual(await readdir(join(dir, 'incoming')), ['fresh']);
  });

  it('blobs are readable by their owner only', async (test) => {
    const dir = await temporaryFolder(test);
    const { digest } = await (await openBlobStore({ dir })).put('1234567890123456', Uint8Array.of(1));
    assert.equal((await stat(fileOf(dir, `1234567890123456/${digest}`))).mode & 0o777, 0o600);
  });

  it('a full disk rejects put and leaves nothing', { skip: noSmallDisk }, async (test) => {
    const dir = await temporaryFolder(test);
    const result = await onSmallDisk(new URL('./fills-disk.ts', import.meta.url), dir, '2m');
    const { failure, kept, leftovers } = result as Record<string, unknown>;
    assert.match(String(failure), /ENOSPC/);
    assert.equal(kept, true, 'the small blob before is whole');
    assert.equal(leftovers, 0);
  });
});
