import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Control } from '../../../src/core/ports/control.ts';
import { digestsOf, type FunctionDocument } from '../../../src/services/control/documents.ts';
import { ACCOUNT, functionInput, type World, startWorld } from './memory-world.ts';
import { zipOf } from './zips.ts';

const LAYER = `acs:fc:local:${ACCOUNT}:layers/L/versions/1`;

/** Blobs are exactly those that documents need, references name exactly those, and nothing is pending or orphaned. */
function checkTidy({ store, blobs }: World): void {
  const needed = new Map<string, string[]>();
  const heads = new Set<string>();
  for (const [key, { value }] of store.entries) {
    if (/^[fvl]\//.test(key)) needed.set(key, [...new Set(digestsOf(value as FunctionDocument))]);
    if (key.startsWith('f/')) heads.add((value as FunctionDocument).record.functionId);
  }
  assert.deepEqual([...blobs.blobs.keys()].sort(), [...new Set([...needed.values()].flat())].sort());
  const references = [...needed].flatMap(([key, digests]) => digests.map((digest) => `r/${digest}/${key}`));
  assert.deepEqual(store.keys('r/'), references.sort());
  assert.deepEqual(store.keys('p/'), []);
  for (const prefix of ['v/', 'a/', 't/', 'e/']) {
    for (const key of store.keys(prefix)) {
      const { functionId } = store.entries.get(key)?.value as { functionId: string };
      assert.ok(heads.has(functionId), `${key} is an orphan`);
    }
  }
}

async function prepare(control: Control): Promise<void> {
  await control.createLayerVersion(ACCOUNT, 'L', {
    code: { zipFile: await zipOf({ 'lib.js': 'layer' }) },
    compatibleRuntime: ['nodejs20'],
  });
  await control.createFunction(ACCOUNT, await functionInput('f', { layers: [LAYER] }, 'one'));
  await control.publishVersion(ACCOUNT, 'f', {});
  await control.createAlias(ACCOUNT, 'f', { aliasName: 'prod', versionId: '1' });
  await control.putAsyncConfig(ACCOUNT, 'f', 'prod', {});
  await control.putConcurrencyConfig(ACCOUNT, 'f', { reservedConcurrency: 3 });
  const triggerConfig = JSON.stringify({ authType: 'anonymous', methods: ['GET'] });
  await control.createTrigger(ACCOUNT, 'f', { triggerName: 'h', triggerType: 'http', triggerConfig });
}

const operations: Readonly<Record<string, (control: Control) => Promise<unknown>>> = {
  create: async (control) => control.createFunction(ACCOUNT, await functionInput('g', { layers: [LAYER] }, 'one')),
  update: async (control) =>
    control.updateFunction(ACCOUNT, 'f', { layers: [], code: { zipFile: await zipOf({ 'index.js': 'two' }) } }),
  publish: async (control) => {
    await control.updateFunction(ACCOUNT, 'f', { description: 'changed' });
    await control.publishVersion(ACCOUNT, 'f', {});
  },
  'delete version': async (control) => {
    await control.deleteAlias(ACCOUNT, 'f', 'prod');
    await control.deleteVersion(ACCOUNT, 'f', '1');
  },
  'delete function': (control) => control.deleteFunction(ACCOUNT, 'f'),
  'delete layer': (control) => control.deleteLayerVersion(ACCOUNT, 'L', 1),
  'create layer': async (control) =>
    control.createLayerVersion(ACCOUNT, 'M', {
      code: { zipFile: await zipOf({ 'm.js': 'm' }) },
      compatibleRuntime: ['nodejs20'],
    }),
};

describe('blobs and what needs them', () => {
  for (const [title, operation] of Object.entries(operations)) {
    it(`${title}: stays tidy, and becomes tidy again after a kill at any write`, async () => {
      for (let writes = 0; ; writes++) {
        const { control, world } = await startWorld();
        await prepare(control);
        world.store.writesLeft = writes;
        const done = await operation(control).then(
          () => true,
          () => false,
        );
        if (world.store.writesLeft > 0) {
          assert.ok(done);
          checkTidy(world);
          return;
        }
        await world.start();
        checkTidy(world);
        const { control: again } = await world.start();
        // Whatever happened, the platform goes on: the function is there or can be made, and can be removed.
        if (!world.store.entries.has(`f/${ACCOUNT}/f`)) await again.createFunction(ACCOUNT, await functionInput('f'));
        await again.deleteFunction(ACCOUNT, 'f');
        checkTidy(world);
        assert.ok(writes < 60, 'the operation never ended');
      }
    });
  }

  it('two functions of the same bytes share a blob until the last one goes', async () => {
    const { control, world } = await startWorld();
    await control.createFunction(ACCOUNT, await functionInput('a'));
    await control.createFunction(ACCOUNT, await functionInput('b'));
    assert.equal(world.blobs.blobs.size, 1);
    await control.deleteFunction(ACCOUNT, 'a');
    assert.equal(world.blobs.blobs.size, 1);
    await control.deleteFunction(ACCOUNT, 'b');
    assert.equal(world.blobs.blobs.size, 0);
  });

  it('deploying and deleting the same bytes at once never loses them', async () => {
    const { control, world } = await startWorld();
    const input = (name: string) => functionInput(name);
    for (let round = 0; round < 20; round++) {
      await control.createFunction(ACCOUNT, await input('old'));
      await Promise.all(
        [
          control.deleteFunction(ACCOUNT, 'old'),
          input('new').then((body) => control.createFunction(ACCOUNT, body)),
          input('new')
            .then((body) => control.createFunction(ACCOUNT, body))
            .catch(() => undefined),
        ].map((work) => Promise.resolve(work).catch(() => undefined)),
      );
      checkTidy(world);
      assert.equal(world.blobs.blobs.size, 1);
      await control.deleteFunction(ACCOUNT, 'new');
    }
  });

  it('a version keeps its code and layers when the function moves on and the layer is deleted', async () => {
    const { control, catalog, world } = await startWorld();
    await prepare(control);
    const before = await catalog.spec(ACCOUNT, 'f', '1');
    await control.deleteLayerVersion(ACCOUNT, 'L', 1);
    await control.updateFunction(ACCOUNT, 'f', { layers: [], code: { zipFile: await zipOf({ 'index.js': 'two' }) } });
    assert.deepEqual(await catalog.spec(ACCOUNT, 'f', '1'), before);
    for (const code of [before?.code, before?.layers[0]?.code]) assert.ok(world.blobs.blobs.has(code?.digest ?? ''));
    checkTidy(world);
  });
});
