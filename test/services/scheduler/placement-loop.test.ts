import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceStartError, type NodeInfo } from '../../../src/core/ports/node-pool.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { World } from './world.ts';

const NEVER = new AbortController().signal;

function node(nodeId: string, zone: string, memoryMb: number): NodeInfo {
  return { nodeId, zone, cpu: 4, memoryMb, memoryUsedMb: 0, instances: 0 };
}

test('instances go to the zones in turn, and a call is refused when no single node has room', async () => {
  const world = new World();
  const nodes = [node('x', 'a', 1_024), node('y', 'b', 1_024)];
  world.pool.nodes = () => nodes;
  const scheduling = createScheduling({ ...world.parts(), epoch: 1, limits: {} });
  await scheduling.start();
  const spec = world.catalog.put('f', { memorySize: 600 });
  const leases = [1, 2].map((i) => scheduling.acquire(spec, `r${i}`, NEVER));
  await world.clock.advance(2_000);
  await Promise.all(leases);
  assert.deepEqual(new Set(world.pool.orders.map((order) => order.nodeId)), new Set(['x', 'y']));
  // 848 MB are free, but on no node 600.
  const refused = assert.rejects(
    scheduling.acquire(world.catalog.put('g', { memorySize: 600 }), 'r3', NEVER),
    (error) => error instanceof InstanceStartError && error.failure.kind === 'no-capacity',
  );
  await world.clock.advance(2_000);
  await refused;
  const [first] = await Promise.all(leases);
  first?.release('kill');
  await world.clock.advance(2_000);
  const again = scheduling.acquire(world.catalog.put('g', { memorySize: 600 }), 'r4', NEVER);
  await world.clock.advance(5_000);
  assert.equal((await again).timings.cold, true);
  await scheduling.close();
});

test('an instance is ready when a call that was announced comes', async () => {
  const world = new World();
  const scheduling = createScheduling({ ...world.parts(), epoch: 1, limits: {} });
  await scheduling.start();
  const spec = world.catalog.put('f');
  scheduling.expectAt(spec, world.clock.now() + 3_600_000);
  await world.clock.advance(3_500_000);
  assert.equal(world.pool.orders.length, 0);
  await world.clock.advance(100_000);
  assert.equal(world.pool.orders.length, 1);
  assert.equal(scheduling.acquireNow(spec, 'r1')?.timings.cold, false);
  await scheduling.close();
});
