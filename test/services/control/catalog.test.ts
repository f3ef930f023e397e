import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DocumentStore } from '../../../src/services/control/document-store.ts';
import { ACCOUNT, functionInput, MemoryStore, startWorld } from './memory-world.ts';
import { zipOf } from './zips.ts';

describe('catalog', () => {
  it('shows every resolved control call to the next read, also synchronously once warm', async () => {
    const { control, catalog } = await startWorld();
    assert.equal(await catalog.function(ACCOUNT, 'f'), undefined);
    assert.equal(catalog.specNow(ACCOUNT, 'f', 'LATEST'), undefined);
    const { record } = await control.createFunction(ACCOUNT, await functionInput('f'));
    assert.deepEqual(await catalog.function(ACCOUNT, 'f'), record);
    const first = await catalog.spec(ACCOUNT, 'f', 'LATEST');
    assert.equal(catalog.specNow(ACCOUNT, 'f', 'LATEST'), first);
    assert.equal(await catalog.spec(ACCOUNT, 'f', 'LATEST'), first);
    await control.updateFunction(ACCOUNT, 'f', { timeout: 9 });
    const second = catalog.specNow(ACCOUNT, 'f', 'LATEST');
    assert.equal(second?.config.timeout, 9);
    assert.notEqual(second?.key, first?.key);
    await control.publishVersion(ACCOUNT, 'f', {});
    const published = await catalog.spec(ACCOUNT, 'f', '1');
    assert.equal(published?.versionId, '1');
    assert.equal(catalog.specNow(ACCOUNT, 'f', '1'), published);
    assert.equal((await catalog.version(ACCOUNT, 'f', '1'))?.versionId, '1');
    assert.equal(await catalog.spec(ACCOUNT, 'f', '2'), undefined);
    await control.createAlias(ACCOUNT, 'f', { aliasName: 'prod', versionId: '1' });
    assert.equal((await catalog.alias(ACCOUNT, 'f', 'prod'))?.versionId, '1');
    assert.equal(catalog.aliasNow(ACCOUNT, 'f', 'prod')?.versionId, '1');
    await control.deleteFunction(ACCOUNT, 'f');
    assert.equal(catalog.functionNow(ACCOUNT, 'f'), undefined);
    assert.equal(catalog.aliasNow(ACCOUNT, 'f', 'prod'), undefined);
    for (const versionId of ['LATEST', '1']) assert.equal(await catalog.spec(ACCOUNT, 'f', versionId), undefined);
  });

  it('keeps the key while nothing that runs changed, and never gives an old key to a new function', async () => {
    const { control, catalog } = await startWorld();
    await control.createFunction(ACCOUNT, await functionInput('f'));
    await control.publishVersion(ACCOUNT, 'f', {});
    const head = await catalog.spec(ACCOUNT, 'f', 'LATEST');
    const version = await catalog.spec(ACCOUNT, 'f', '1');
    await control.putConcurrencyConfig(ACCOUNT, 'f', { reservedConcurrency: 1 });
    assert.equal((await catalog.spec(ACCOUNT, 'f', 'LATEST'))?.key, head?.key);
    await control.deleteFunction(ACCOUNT, 'f');
    await control.createFunction(ACCOUNT, await functionInput('f', {}, 'other'));
    await control.publishVersion(ACCOUNT, 'f', {});
    assert.notEqual((await catalog.spec(ACCOUNT, 'f', 'LATEST'))?.key, head?.key);
    assert.notEqual((await catalog.spec(ACCOUNT, 'f', '1'))?.key, version?.key);
  });

  it('announces functions whose head, version or alias changed', async () => {
    const { control, catalog } = await startWorld();
    const seen: string[] = [];
    const subscription = catalog.onFunction(({ account, name }) => {
      assert.equal(account, ACCOUNT);
      seen.push(`${name} ${catalog.functionNow(ACCOUNT, name)?.generation}`);
    });
    await catalog.function(ACCOUNT, 'f');
    await control.createFunction(ACCOUNT, await functionInput('f'));
    await control.updateFunction(ACCOUNT, 'f', { code: { zipFile: await zipOf({ 'index.js': 'two' }) } });
    assert.deepEqual(seen, ['f 1', 'f 2']);
    await control.publishVersion(ACCOUNT, 'f', {});
    await control.createAlias(ACCOUNT, 'f', { aliasName: 'a', versionId: '1' });
    assert.equal(seen.length, 5);
    subscription.dispose();
    await control.deleteFunction(ACCOUNT, 'f');
    assert.equal(seen.length, 5);
  });

  it('follows what another server does', async () => {
    const { control, world } = await startWorld();
    const { catalog } = await world.start();
    assert.equal(await catalog.function(ACCOUNT, 'f'), undefined);
    await control.createFunction(ACCOUNT, await functionInput('f'));
    assert.equal((await catalog.function(ACCOUNT, 'f'))?.generation, 1);
    await control.updateFunction(ACCOUNT, 'f', { timeout: 4 });
    assert.equal(catalog.functionNow(ACCOUNT, 'f')?.config.timeout, 4);
  });
});

describe('document store', () => {
  it('is bounded, and reads again what it forgot', async () => {
    const store = new MemoryStore();
    const documents = new DocumentStore(store, 10);
    for (let i = 0; i < 100; i++) await store.put(`f/1/f${i}`, i);
    for (let i = 0; i < 100; i++) assert.equal(await documents.cached(`f/1/f${i}`), i);
    assert.equal(documents.peek('f/1/f0'), undefined);
    assert.equal(documents.peek('f/1/f99'), 99);
    const before = store.reads;
    assert.equal(await documents.cached('f/1/f99'), 99);
    assert.equal(store.reads, before);
    assert.equal(await documents.cached('f/1/f0'), 0);
    assert.equal(store.reads, before + 1);
    assert.equal(await documents.cached('f/1/none'), undefined);
    assert.equal(documents.peek('f/1/none'), null);
  });

  it('loads a key once for many readers, and a change that overtakes the load wins', async () => {
    const store = new MemoryStore();
    const documents = new DocumentStore(store, 10);
    await store.put('f/1/f', 'old');
    const slow = store.get.bind(store);
    store.get = async (key) => {
      const entry = await slow(key);
      await store.put('f/1/f', 'new');
      store.get = slow;
      return entry;
    };
    const values = await Promise.all([documents.cached('f/1/f'), documents.cached('f/1/f')]);
    assert.deepEqual(values, ['new', 'new']);
    assert.equal(store.reads, 1);
    assert.equal(documents.peek('f/1/f'), 'new');
    await store.delete('f/1/f');
    assert.equal(documents.peek('f/1/f'), null);
    documents.dispose();
    await store.put('f/1/f', 'unseen');
    assert.equal(documents.peek('f/1/f'), null);
  });
});
