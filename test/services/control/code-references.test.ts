import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { blobId } from '../../../src/core/ports/blob-store.ts';
import type { Control } from '../../../src/core/ports/control.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { blobsOf, type FunctionDocument } from '../../../src/services/control/documents.ts';
import { ACCOUNT, functionInput, latency, startWorld, type World } from './memory-world.ts';
import { zipOf } from './zips.ts';

const LAYER = `acs:fc:local:${ACCOUNT}:layers/L/versions/1`;

/** Blobs are exactly those that documents need, references name exactly those, and nothing is pending or orphaned. */
function checkTidy({ store, blobs }: World): void {
  const needed = new Map<string, string[]>();
  const heads = new Set<string>();
  const limited: string[] = [];
  for (const [key, { value }] of store.entries) {
    if (/^[fvl]\//.test(key)) needed.set(key, [...new Set(blobsOf(value as FunctionDocument))]);
    if (!key.startsWith('f/')) continue;
    const { functionId, name, reservedConcurrency } = (value as FunctionDocument).record;
    heads.add(functionId);
    if (reservedConcurrency !== undefined) limited.push(`c/${ACCOUNT}/${name}`);
  }
  assert.deepEqual([...blobs.blobs.keys()].sort(), [...new Set([...needed.values()].flat())].sort());
  const references = [...needed].flatMap(([key, digests]) => digests.map((digest) => `r/${digest}/${key}`));
  assert.deepEqual(store.keys('r/'), references.sort());
  assert.deepEqual(store.keys('p/'), []);
  assert.deepEqual(store.keys('c/'), limited.sort());
  for (const prefix of ['v/', 'a/', 't/', 'e/']) {
    for (const key of store.keys(prefix)) {
      const child = store.entries.get(key)?.value as { functionId: string } | undefined;
      assert.ok(child !== undefined && heads.has(child.functionId), `${key} is an orphan`);
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

/** Numbers below a bound, the same in every run. */
function pseudoRandom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

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

  it('any operations at once, in any interleaving, end tidy', async () => {
    after(() => {
      latency.turns = () => 1;
    });
    const next = pseudoRandom(7);
    // Mostly quick, now and then very slow: that is where the gaps between two writes open.
    latency.turns = () => (next(8) === 0 ? 80 : 1 + next(3));
    for (let round = 0; round < 150; round++) {
      const { control, world } = await startWorld();
      await control.createFunction(ACCOUNT, await functionInput('f0', {}, 'content 0'));
      const work: Promise<unknown>[] = [];
      for (let operation = 0; operation < 8; operation++) {
        const name = `f${next(2)}`;
        const code = { zipFile: await zipOf({ 'index.js': `content ${next(2)}` }) };
        const input = { ...(await functionInput(name)), code };
        const choices = [
          () => control.createFunction(ACCOUNT, input),
          () => control.createFunction(ACCOUNT, input),
          () => control.updateFunction(ACCOUNT, name, { code }),
          () => control.publishVersion(ACCOUNT, name, {}),
          () => control.putAsyncConfig(ACCOUNT, name, undefined, {}),
          () => control.putConcurrencyConfig(ACCOUNT, name, { reservedConcurrency: 1 }),
          () => control.deleteFunction(ACCOUNT, name),
          () => control.deleteFunction(ACCOUNT, name),
        ];
        work.push(choices[next(choices.length)]?.() ?? Promise.resolve());
        const handled = work.at(-1)?.catch(() => undefined);
        if (next(3) > 0) await handled;
      }
      for (const outcome of await Promise.allSettled(work)) {
        if (outcome.status === 'rejected')
          assert.ok(outcome.reason instanceof TidemillError, String(outcome.reason.stack));
      }
      checkTidy(world);
    }
  });

  it('a version keeps its code and layers when the function moves on and the layer is deleted', async () => {
    const { control, catalog, world } = await startWorld();
    await prepare(control);
    const before = await catalog.spec(ACCOUNT, 'f', '1');
    await control.deleteLayerVersion(ACCOUNT, 'L', 1);
    await control.updateFunction(ACCOUNT, 'f', { layers: [], code: { zipFile: await zipOf({ 'index.js': 'two' }) } });
    assert.deepEqual(await catalog.spec(ACCOUNT, 'f', '1'), before);
    for (const code of [before?.code, before?.layers[0]?.code])
      assert.ok(code !== undefined && world.blobs.blobs.has(blobId(code)));
    checkTidy(world);
  });
});
