import assert from 'node:assert/strict';
import { open, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openBlobStore } from '../../../src/adapters/blobs-fs/index.ts';
import { blobStoreSuite } from '../../../src/core/ports/blob-store.suite.ts';
import { noSmallDisk, onSmallDisk } from '../full-disk.ts';
import { temporaryFolder } from '../temporary-folder.ts';

blobStoreSuite('blobs-fs', async (test) => {
  const dir = await temporaryFolder(test);
  return {
    open: () => openBlobStore({ dir }),
    async damage(digest) {
      const file = await open(join(dir, digest.slice(0, 2), digest), 'r+');
      await file.write(Uint8Array.of(1), 0, 1, 1000);
      await file.close();
    },
    leftovers: async () => (await readdir(join(dir, 'incoming'))).length,
  };
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
    const { digest } = await (await openBlobStore({ dir })).put(Uint8Array.of(1));
    assert.equal((await stat(join(dir, digest.slice(0, 2), digest))).mode & 0o777, 0o600);
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
