import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Lease } from '../../../src/core/ports/scheduling.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { World } from './world.ts';

const NEVER = new AbortController().signal;

async function schedulingOf(world: World, limits = {}) {
  const scheduling = createScheduling({ ...world.parts(), epoch: 1, limits });
  await scheduling.start();
  return scheduling;
}

async function started(world: World, scheduling: Awaited<ReturnType<typeof schedulingOf>>, name = 'f'): Promise<Lease> {
  const pending = scheduling.acquire(world.catalog.put(name), 'r', NEVER);
  await world.clock.advance(200);
  return pending;
}

describe('between calls', () => {
  test('an instance is frozen once it was idle for 100 ms, and thawed with its next call', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    const pending = scheduling.acquire(spec, 'r', NEVER);
    await world.clock.advance(200);
    const lease = await pending;
    const id = lease.instanceId;
    await world.clock.advance(1_000);
    assert.deepEqual(world.pool.pauses, [], 'a running call is never frozen');
    lease.release('ok');
    await world.clock.advance(99);
    assert.deepEqual(world.pool.pauses, []);
    await world.clock.advance(2);
    assert.deepEqual(world.pool.pauses, [['freeze', id]]);
    await world.clock.advance(5_000);
    assert.equal(world.pool.pauses.length, 1);
    const next = scheduling.acquireNow(spec, 'r2');
    assert.deepEqual(world.pool.pauses.slice(1), [['thaw', id]], 'at once, beside the call');
    next?.release('ok');
    await world.clock.advance(101);
    assert.deepEqual(world.pool.pauses.slice(2), [['freeze', id]]);
    await scheduling.close();
  });

  test('calls that follow each other quickly cost nothing', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    const pending = scheduling.acquire(spec, 'r', NEVER);
    await world.clock.advance(200);
    (await pending).release('ok');
    for (let i = 0; i < 50; i++) {
      await world.clock.advance(90);
      scheduling.acquireNow(spec, `r${i}`)?.release('ok');
    }
    assert.deepEqual(world.pool.pauses, []);
    await scheduling.close();
  });

  test('each is frozen in its own time, whatever happens to others', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const [f, g] = [await started(world, scheduling, 'f'), await started(world, scheduling, 'g')];
    f.release('ok');
    await world.clock.advance(60);
    g.release('ok');
    await world.clock.advance(50);
    assert.deepEqual(world.pool.pauses, [['freeze', f.instanceId]]);
    await world.clock.advance(60);
    assert.deepEqual(world.pool.pauses.slice(1), [['freeze', g.instanceId]]);
    await scheduling.close();
  });

  test('a node that is up again has thawed everything: it is frozen anew', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const lease = await started(world, scheduling);
    lease.release('ok');
    await world.clock.advance(150);
    world.pool.nodeUp({ nodeId: 'node', zone: 'z', cpu: 1, memoryMb: 1024, memoryUsedMb: 0, instances: 1 });
    await world.clock.advance(150);
    assert.deepEqual(world.pool.pauses, [
      ['freeze', lease.instanceId],
      ['freeze', lease.instanceId],
    ]);
    await scheduling.close();
  });

  test('where the host cannot freeze, instances run on and are not asked again', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    let asked = 0;
    world.pool.freeze = () => {
      asked++;
      return Promise.reject(new Error('this host has no control group freezer'));
    };
    (await started(world, scheduling)).release('ok');
    await world.clock.advance(500);
    assert.equal(asked, 1);
    await scheduling.close();
  });

  test('an instance that cannot be thawed is removed', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    const pending = scheduling.acquire(spec, 'r', NEVER);
    await world.clock.advance(200);
    const lease = await pending;
    lease.release('ok');
    await world.clock.advance(150);
    world.pool.thaw = () => Promise.reject(new Error('no'));
    scheduling.acquireNow(spec, 'r2');
    await world.clock.advance(1);
    assert.deepEqual(world.pool.kills, [[lease.instanceId, 'killed']]);
    await scheduling.close();
  });

  test('Infinity switches it off, and no timer is left', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world, { freezeAfterMs: Number.POSITIVE_INFINITY });
    (await started(world, scheduling)).release('ok');
    await world.clock.advance(10_000);
    assert.deepEqual(world.pool.pauses, []);
    await scheduling.close();
  });
});
