import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { openMetadataStore } from '../../../src/adapters/store-sqlite/index.ts';
import { metadataStoreSuite } from '../../../src/core/ports/metadata-store.suite.ts';
import { noSmallDisk, onSmallDisk } from '../full-disk.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { temporaryVault } from '../temporary-vault.ts';

metadataStoreSuite('store-sqlite', async (test) => {
  const path = join(await temporaryFolder(test), 'meta.db');
  let round = 0;
  return {
    open: () => openMetadataStore({ path }),
    crash: (answers) =>
      killAfterLines(new URL('./endless-writer.ts', import.meta.url), [path, `${1_000_000 * round++}`], answers),
  };
});

metadataStoreSuite('store-sqlite, sealed', async (test) => {
  const folder = await temporaryFolder(test);
  const path = join(folder, 'meta.db');
  const vault = await temporaryVault(test, folder);
  let round = 0;
  return {
    open: () => openMetadataStore({ path, vault }),
    // Writes in the clear, as an earlier release did: the next opening seals it.
    crash: (answers) =>
      killAfterLines(new URL('./endless-writer.ts', import.meta.url), [path, `${1_000_000 * round++}`], answers),
  };
});

/** Everything that lies in the folder under the name, write-ahead log and all. */
async function onDisk(folder: string, name: string): Promise<string> {
  const files = (await readdir(folder)).filter((each) => each.startsWith(name));
  return (await Promise.all(files.map((each) => readFile(join(folder, each), 'latin1')))).join('');
}

describe('store-sqlite with a vault', () => {
  const SECRET = 'a value that nobody may read';
  const key = 'f/1234567890123456/name';

  it('no value is on disk in the clear, nor one that was before', async (test) => {
    const folder = await temporaryFolder(test);
    const path = join(folder, 'meta.db');
    const plain = await openMetadataStore({ path });
    for (let number = 0; number < 1_200; number++) await plain.put(`${key}${number}`, { text: SECRET, number });
    await plain.close();
    assert.ok((await onDisk(folder, 'meta.db')).includes(SECRET));
    const vault = await temporaryVault(test, folder);
    const store = await openMetadataStore({ path, vault });
    assert.equal((await onDisk(folder, 'meta.db')).includes(SECRET), false, 'what was written before');
    await store.put(`${key}new`, { text: SECRET });
    assert.equal((await onDisk(folder, 'meta.db')).includes(SECRET), false, 'what is written now');
    const entry = await store.get(`${key}7`);
    assert.deepEqual([entry?.value, entry?.revision], [{ text: SECRET, number: 7 }, 8]);
    assert.equal((await store.list(key)).length, 1_201);
    await store.close();
  });

  it('a value that was moved to another key, or comes from another installation, is refused', async (test) => {
    const folder = await temporaryFolder(test);
    const path = join(folder, 'meta.db');
    const store = await openMetadataStore({ path, vault: await temporaryVault(test, folder) });
    await store.put(key, { text: SECRET });
    await store.put(`${key}-other`, { text: 'other' });
    await store.close();
    const db = new DatabaseSync(path);
    db.prepare('UPDATE entries SET value = (SELECT value FROM entries WHERE key = ?) WHERE key = ?').run(
      key,
      `${key}-other`,
    );
    db.close();
    const again = await openMetadataStore({ path, vault: await temporaryVault(test, folder) });
    assert.deepEqual((await again.get(key))?.value, { text: SECRET });
    await assert.rejects(again.get(`${key}-other`), /does not open/);
    await again.close();
    const stranger = await openMetadataStore({ path, vault: await temporaryVault(test) });
    await assert.rejects(stranger.get(key), /does not open/);
    await stranger.close();
  });
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
