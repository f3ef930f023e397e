import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { InstanceStartError } from '../../../src/core/ports/node-pool.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { settle } from './simulated-clock.ts';
import { ACCOUNT, World } from './world.ts';

const NEVER = new AbortController().signal;

async function schedulingOf(world: World, limits = {}) {
  const scheduling = createScheduling({ ...world.parts(), epoch: 3, limits });
  await scheduling.start();
  return scheduling;
}

describe('acquire', () => {
  test('a cold call carries the phases of its start, a warm one is synchronous and free of them', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    assert.equal(scheduling.acquireNow(spec, 'r0'), undefined);
    const pending = scheduling.acquire(spec, 'r1', NEVER);
    await world.clock.advance(130);
    const lease = await pending;
    assert.equal(lease.epoch, 3);
    assert.equal(lease.timings.cold, true);
    assert.equal(lease.timings.initializerMs, 40);
    assert.equal(lease.timings.queuedMs, 0);
    assert.match(lease.startLog, /runtime inited/);
    assert.equal(world.pool.orders[0]?.requestId, 'r1');
    assert.equal(scheduling.freeSlots(spec.key), 0);
    lease.release('ok');
    assert.equal(scheduling.freeSlots(spec.key), 1);
    const warm = scheduling.acquireNow(spec, 'r2');
    assert.equal(warm?.instanceId, lease.instanceId);
    assert.equal(warm?.timings.cold, false);
    assert.equal(warm?.startLog, '');
    assert.equal(world.facts.of('instance-started').length, 1);
    await scheduling.close();
  });

  test('a failed start rejects with its own error', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const failure = { kind: 'initialization' as const, message: 'no', payload: '{}', startLog: 'log' };
    world.pool.fail = () => new InstanceStartError(failure);
    const pending = scheduling.acquire(world.catalog.put('f'), 'r1', NEVER);
    const rejected = assert.rejects(
      pending,
      (error) => error instanceof InstanceStartError && error.failure === failure,
    );
    await world.clock.advance(200);
    await rejected;
    assert.equal(scheduling.instances(ACCOUNT, 'f').length, 0);
    await scheduling.close();
  });

  test('an instance that cannot be reached is removed and the call told', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    world.dialFails = new Error('no route');
    const pending = scheduling.acquire(world.catalog.put('f'), 'r1', NEVER);
    const rejected = assert.rejects(
      pending,
      (error) => error instanceof InstanceStartError && error.failure.kind === 'platform',
    );
    await world.clock.advance(200);
    await rejected;
    assert.equal(world.pool.running.size, 0);
    await scheduling.close();
  });

  test('limits: reserved concurrency of the function, also 0', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f', {}, { reservedConcurrency: 1 });
    const first = scheduling.acquire(spec, 'r1', NEVER);
    const exhausted = (error: unknown): boolean => error instanceof TidemillError && error.code === 'ResourceExhausted';
    await assert.rejects(scheduling.acquire(spec, 'r2', NEVER), exhausted);
    await world.clock.advance(150);
    (await first).release('ok');
    world.catalog.patch('f', { reservedConcurrency: 0 });
    await settle();
    assert.equal(scheduling.acquireNow(spec, 'r3'), undefined);
    await assert.rejects(scheduling.acquire(spec, 'r3', NEVER), exhausted);
    assert.equal(world.pool.running.size, 0);
    await scheduling.close();
  });

  test('room tells what would be let in', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world, { instancesPerAccount: 2 });
    const spec = world.catalog.put('f', { instanceConcurrency: 3, runtime: 'custom' });
    const pending = scheduling.acquire(spec, 'r1', NEVER);
    await settle();
    assert.equal(scheduling.room(spec), 5);
    await world.clock.advance(150);
    const lease = await pending;
    assert.equal(scheduling.room(spec), 5);
    lease.release('ok');
    assert.equal(scheduling.room(spec), 6);
    await scheduling.close();
  });

  test('node memory: ResourceThrottled', async () => {
    const world = new World();
    world.pool.capacity = [{ nodeId: 'n', zone: 'z', cpu: 1, memoryMb: 600, memoryUsedMb: 0, instances: 0 }];
    const scheduling = await schedulingOf(world);
    const first = scheduling.acquire(world.catalog.put('a'), 'r1', NEVER);
    await settle();
    await assert.rejects(
      scheduling.acquire(world.catalog.put('b'), 'r2', NEVER),
      (error) => error instanceof TidemillError && error.code === 'ResourceThrottled',
    );
    await world.clock.advance(150);
    await first;
    await scheduling.close();
  });

  test('a caller that goes away leaves the queue', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    const caller = new AbortController();
    const pending = scheduling.acquire(spec, 'r1', caller.signal);
    await settle();
    caller.abort(new Error('gone'));
    await assert.rejects(pending, /gone/);
    await world.clock.advance(200);
    assert.equal(scheduling.freeSlots(spec.key), 1);
    await scheduling.close();
  });
});

describe('instances', () => {
  test('end after their idle time, with no timer left behind', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const pending = scheduling.acquire(world.catalog.put('f', { idleTimeout: 60 }), 'r1', NEVER);
    await world.clock.advance(150);
    (await pending).release('ok');
    await world.clock.advance(59_000);
    assert.equal(world.pool.running.size, 1);
    await world.clock.advance(2_000);
    assert.equal(world.pool.running.size, 0);
    assert.equal(world.facts.of('instance-gone')[0]?.reason, 'stopped');
    await scheduling.close();
    assert.equal(world.clock.pending, 0);
  });

  test('a changed function gets new instances, the old ones finish their call and end', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const old = world.catalog.put('f');
    const first = scheduling.acquire(old, 'r1', NEVER);
    await world.clock.advance(150);
    const lease = await first;
    const changed = world.catalog.put('f');
    await settle();
    assert.equal(scheduling.instances(ACCOUNT, 'f').length, 1);
    const second = scheduling.acquire(changed, 'r2', NEVER);
    await world.clock.advance(150);
    assert.notEqual((await second).instanceId, lease.instanceId);
    lease.release('ok');
    assert.deepEqual(world.pool.stops, [lease.instanceId]);
    await scheduling.close();
  });

  test('a deleted function leaves nothing', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    const pending = scheduling.acquire(spec, 'r1', NEVER);
    await world.clock.advance(150);
    (await pending).release('ok');
    world.catalog.delete('f');
    await settle();
    assert.equal(world.pool.running.size, 0);
    assert.deepEqual(scheduling.instances(ACCOUNT, 'f'), []);
    await scheduling.close();
  });

  test('killed and broken ones are replaced', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    for (const outcome of ['kill', 'timeout', 'broken'] as const) {
      const pending = scheduling.acquire(spec, 'r', NEVER);
      await world.clock.advance(150);
      const lease = await pending;
      lease.release(outcome);
      lease.release('ok');
      await settle();
      assert.equal(scheduling.freeSlots(spec.key), 0);
      assert.equal(world.pool.running.size, 0);
    }
    assert.deepEqual(
      world.pool.kills.map(([, reason]) => reason),
      ['killed', 'timeout', 'killed'],
    );
    await scheduling.close();
  });

  test('an instance whose connection is lost gets no more calls', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    const pending = scheduling.acquire(spec, 'r', NEVER);
    await world.clock.advance(150);
    const lease = await pending;
    lease.release('ok');
    world.links.get(lease.instanceId)?.close();
    await settle();
    assert.equal(scheduling.acquireNow(spec, 'r2'), undefined);
    await world.clock.advance(1_000);
    assert.deepEqual(world.pool.kills, [[lease.instanceId, 'killed']]);
    await scheduling.close();
  });

  test('an instance whose connection is lost by its own end is not killed: its reason stands', async () => {
    const world = new World();
    const scheduling = await schedulingOf(world);
    const spec = world.catalog.put('f');
    const pending = scheduling.acquire(spec, 'r', NEVER);
    await world.clock.advance(150);
    const lease = await pending;
    lease.release('ok');
    world.links.get(lease.instanceId)?.close();
    await world.clock.advance(100);
    world.pool.exit(lease.instanceId, 'oom');
    await world.clock.advance(1_000);
    assert.deepEqual(world.pool.kills, []);
    assert.deepEqual(
      world.facts.of('instance-gone').map((fact) => fact.reason),
      ['oom'],
    );
    await scheduling.close();
    assert.equal(world.clock.pending, 0);
  });
});

describe('adoption', () => {
  test('a busy instance found running gives its slot when its call has ended', async () => {
    const world = new World();
    const spec = world.catalog.put('f');
    world.busyAtConnect = ['r-old'];
    world.pool.found = [{ instanceId: 'c-1', nodeId: 'n', spec, address: { kind: 'frames', path: 'c-1' } }];
    const scheduling = await schedulingOf(world);
    assert.equal(scheduling.freeSlots(spec.key), 0);
    assert.equal(scheduling.instances(ACCOUNT, 'f')[0]?.inFlight, 1);
    world.links.get('c-1')?.drain.resolve();
    await settle();
    assert.equal(scheduling.acquireNow(spec, 'r')?.instanceId, 'c-1');
    await scheduling.close();
  });

  test('an instance that cannot say what it works on is removed for an event whose call it may run', async () => {
    const world = new World();
    const custom = world.catalog.put('custom', { runtime: 'custom.debian12' });
    const other = world.catalog.put('other', { runtime: 'custom.debian12' });
    const node = world.catalog.put('node');
    const found = (instanceId: string, spec: typeof custom) => {
      return { instanceId, nodeId: 'n', spec, address: { kind: 'frames' as const, path: instanceId } };
    };
    world.pool.found = [found('c-1', custom), found('c-2', custom), found('c-3', other), found('c-4', node)];
    const scheduling = await schedulingOf(world);
    for (const { instanceId, spec } of world.pool.found) {
      const credentials = world.identity.credentialsFor(ACCOUNT, '');
      world.pool.running.set(instanceId, { instanceId, requestId: 'r', spec, credentials });
    }
    assert.equal(scheduling.freeSlots(custom.key), 2);
    let tries = 0;
    const kill = world.pool.kill.bind(world.pool);
    world.pool.kill = async (instanceId, reason) => {
      if (tries++ === 0) throw new Error('the node is down');
      await kill(instanceId, reason);
    };
    assert.equal(scheduling.earlierCall('r-old', ACCOUNT, 'node'), undefined);
    let gone = 0;
    for (const requestId of ['r-old', 'r-other']) {
      void scheduling.earlierCall(requestId, ACCOUNT, 'custom')?.then(() => gone++);
    }
    // No new call meets them, although one of them is there still.
    assert.equal(scheduling.freeSlots(custom.key), 0);
    await settle();
    assert.equal(gone, 0);
    await world.clock.advance(2_000);
    assert.equal(gone, 2);
    assert.deepEqual(
      world.facts
        .of('instance-gone')
        .map(({ instanceId }) => instanceId)
        .toSorted(),
      ['c-1', 'c-2'],
    );
    assert.equal(scheduling.earlierCall('r-old', ACCOUNT, 'custom'), undefined);
    assert.equal(scheduling.freeSlots(other.key), 1);
    await scheduling.close();
  });

  test('an instance of a version that has been replaced meanwhile ends', async () => {
    const world = new World();
    const old = world.catalog.put('f');
    world.catalog.put('f');
    world.pool.found = [{ instanceId: 'c-1', nodeId: 'n', spec: old, address: { kind: 'frames', path: 'c-1' } }];
    const scheduling = await schedulingOf(world);
    assert.deepEqual(world.pool.stops, ['c-1']);
    await scheduling.close();
  });

  test('a node that does not answer at the start is asked when it is up', async () => {
    const world = new World();
    const spec = world.catalog.put('f');
    world.pool.list = () => Promise.reject(new Error('nobody there'));
    const scheduling = await schedulingOf(world);
    world.pool.list = async () => [{ instanceId: 'c-1', nodeId: 'n', spec, address: { kind: 'frames', path: 'c-1' } }];
    world.pool.nodeUp({ nodeId: 'n', zone: 'z', cpu: 1, memoryMb: 8_000, memoryUsedMb: 0, instances: 1 });
    await settle();
    assert.equal(scheduling.freeSlots(spec.key), 1);
    await scheduling.close();
  });

  test('a node that comes back is asked for what it holds; known instances are left alone', async () => {
    const world = new World();
    const spec = world.catalog.put('f');
    const scheduling = await schedulingOf(world);
    world.pool.found = [{ instanceId: 'c-1', nodeId: 'n', spec, address: { kind: 'frames', path: 'c-1' } }];
    const node = { nodeId: 'n', zone: 'z', cpu: 1, memoryMb: 8_000, memoryUsedMb: 0, instances: 1 };
    world.pool.nodeUp(node);
    await settle();
    world.pool.nodeUp(node);
    await settle();
    assert.equal(scheduling.freeSlots(spec.key), 1);
    await scheduling.close();
  });
});

test('drain refuses new calls and waits for the last lease; close leaves instances running', async () => {
  const world = new World();
  const scheduling = await schedulingOf(world);
  const spec = world.catalog.put('f');
  const pending = scheduling.acquire(spec, 'r', NEVER);
  await world.clock.advance(150);
  const lease = await pending;
  let drained = false;
  const drain = scheduling.drain().then(() => {
    drained = true;
  });
  await assert.rejects(scheduling.acquire(spec, 'r2', NEVER), /shutting down/);
  await settle();
  assert.equal(drained, false);
  lease.release('ok');
  await drain;
  await scheduling.close();
  assert.equal(world.pool.running.size, 1);
});
