import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { World } from './world.ts';

const FLOOR = { count: 2, onDemand: true, alwaysCpu: false, balanced: false } as const;

async function reservedWorld(floor: Partial<typeof FLOOR> | { alwaysCpu: boolean } = {}, limits = {}) {
  const world = new World();
  const scheduling = createScheduling({ ...world.parts(), epoch: 1, limits });
  await scheduling.start();
  const spec = world.catalog.put('f');
  await scheduling.reserved.reserve(spec, { ...FLOOR, ...floor });
  await world.clock.advance(200);
  return { world, scheduling, spec };
}

function didOf(world: World, wanted: string): string[] {
  return world.pool.pauses.filter(([what]) => what === wanted).map(([, id]) => id);
}

function shrinksOf(world: World): string[] {
  return didOf(world, 'shrink');
}

describe('reserved instances that stand still', () => {
  test('are shrunk once after a minute without a call, and seen as that', async () => {
    const { world, scheduling } = await reservedWorld();
    await world.clock.advance(59_000);
    assert.deepEqual(shrinksOf(world), []);
    assert.equal(scheduling.pauses().frozen.instances, 2);
    await world.clock.advance(2_000);
    assert.equal(new Set(shrinksOf(world)).size, 2);
    assert.deepEqual([scheduling.pauses().shrunk.instances, scheduling.pauses().frozen.instances], [2, 0]);
    assert.deepEqual(
      scheduling.instances('1000000000000000', 'f').map(({ pause }) => pause),
      ['shrunk', 'shrunk'],
    );
    await world.clock.advance(600_000);
    assert.equal(shrinksOf(world).length, 2);
    await scheduling.close();
  });

  test('a call thaws one, which is shrunk again after another minute', async () => {
    const { world, scheduling, spec } = await reservedWorld();
    await world.clock.advance(61_000);
    const lease = scheduling.acquireNow(spec, 'r');
    assert.ok(lease);
    assert.deepEqual(world.pool.pauses.at(-1), ['thaw', lease.instanceId]);
    await world.clock.advance(90_000);
    assert.equal(shrinksOf(world).length, 2, 'never while a call runs');
    lease.release('ok');
    await world.clock.advance(59_000);
    assert.equal(shrinksOf(world).length, 2);
    await world.clock.advance(2_000);
    assert.deepEqual(shrinksOf(world).slice(2), [lease.instanceId]);
    await scheduling.close();
  });

  test('with alwaysAllocateCPU they are neither frozen nor shrunk; put without it later, they are', async () => {
    const { world, scheduling, spec } = await reservedWorld({ alwaysCpu: true });
    await world.clock.advance(200_000);
    assert.deepEqual([didOf(world, 'freeze'), didOf(world, 'shrink')], [[], []]);
    await scheduling.reserved.reserve(spec, FLOOR);
    await world.clock.advance(1_000);
    assert.equal(shrinksOf(world).length, 2);
    await scheduling.reserved.reserve(spec, { ...FLOOR, alwaysCpu: true });
    assert.equal(didOf(world, 'thaw').length, 2);
    await scheduling.close();
  });

  test('instances on demand are never shrunk', async () => {
    const world = new World();
    const scheduling = createScheduling({ ...world.parts(), epoch: 1, limits: {} });
    await scheduling.start();
    const pending = scheduling.acquire(world.catalog.put('f'), 'r', new AbortController().signal);
    await world.clock.advance(200);
    (await pending).release('ok');
    await world.clock.advance(200_000);
    assert.deepEqual(shrinksOf(world), []);
    await scheduling.close();
  });

  test('a node that is up again has thawed them: frozen and shrunk anew', async () => {
    const { world, scheduling } = await reservedWorld();
    await world.clock.advance(61_000);
    world.pool.nodeUp({ nodeId: 'node', zone: 'z', cpu: 1, memoryMb: 1024, memoryUsedMb: 0, instances: 2 });
    await world.clock.advance(1_000);
    assert.equal(shrinksOf(world).length, 4);
    await scheduling.close();
  });

  test('where it cannot be done they stay frozen, and are asked once', async () => {
    const { world, scheduling, spec } = await reservedWorld();
    let asked = 0;
    world.pool.shrink = () => {
      asked++;
      return Promise.reject(new Error('this host cannot'));
    };
    await world.clock.advance(200_000);
    assert.equal(asked, 2);
    assert.equal(scheduling.pauses().frozen.instances, 2);
    const lease = scheduling.acquireNow(spec, 'r');
    lease?.release('ok');
    await world.clock.advance(200_000);
    assert.equal(asked, 2);
    await scheduling.close();
  });

  test('Infinity switches it off', async () => {
    const { world, scheduling } = await reservedWorld({}, { shrinkAfterMs: Number.POSITIVE_INFINITY });
    await world.clock.advance(1_000_000);
    assert.deepEqual(shrinksOf(world), []);
    await scheduling.close();
  });
});
