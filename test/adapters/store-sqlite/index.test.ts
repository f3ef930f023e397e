import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { openMetadataStore } from '../../../src/adapters/store-sqlite/index.ts';
import { metadataStoreSuite } from '../../../src/core/ports/metadata-store.suite.ts';
import { noSmallDisk, onSmallDisk } from '../full-disk.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';

metadataStoreSuite('store-sqlite', async (test) => {
  const path = join(await temporaryFolder(test), 'meta.db');
  let round = 0;
  return {
    open: () => openMetadataStore({ path }),
    crash: (answers) =>
      killAfterLines(new URL('./endless-writer.ts', import.meta.url), [path, `${1_000_000 * round++}`], answers),
  };
});

describe('store-sqlite', () => {
  it('a full disk rejects the write; what was acknowledged is still there', { skip: noSmallDisk }, async (test) => {
    const dir = await temporaryFolder(test);
    const script = new URL('./fills-disk.ts', import.meta.url);
    const result = (await onSmallDisk(script, dir, '2m')) as { failure: string; written: string[]; readable: string[] };
    assert.match(result.failure, /TidemillError.*(full|I\/O)/);
    assert.ok(result.written.length > 10);
    assert.deepEqual(result.readable, result.written);
  });

  it('a file that is no database, or of another release, is refused at opening', async (test) => {
    const dir = await temporaryFolder(test);
    await writeFile(join(dir, 'text.db'), 'this is not a database '.repeat(100));
    await assert.rejects(openMetadataStore({ path: join(dir, 'text.db') }), /text\.db failed: file is not a database/);
    const newer = new DatabaseSync(join(dir, 'newer.db'));
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    await assert.rejects(openMetadataStore({ path: join(dir, 'newer.db') }), /schema version 99/);
    await assert.rejects(openMetadataStore({ path: join(dir, 'no/such/folder.db') }), /unable to open/);
  });

  it('a watcher that throws does not take the write or other watchers with it', async (test) => {
    const store = await openMetadataStore({ path: join(await temporaryFolder(test), 'meta.db') });
    const other: string[] = [];
    // The test runner would take an uncaught error for its own: the microtask is caught where it is queued.
    const queued = test.mock.method(globalThis, 'queueMicrotask', () => {});
    store.watch('', () => {
      throw new Error('a bug');
    });
    store.watch('', (change) => other.push(change.type));
    assert.ok((await store.put('k', 1)).ok);
    assert.deepEqual(other, ['put']);
    const [rethrow] = queued.mock.calls.map((call) => call.arguments[0]);
    assert.throws(() => rethrow?.(), /a bug/);
    await store.close();
  });
});
