import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceAddress } from '../../../src/core/domain/instance.ts';
import { LinkBrokenError } from '../../../src/core/ports/instance-link.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { World } from './world.ts';

const NEVER = new AbortController().signal;

/** A world whose node tells the address first, and what was dialled. */
async function open(toldAddress: (id: string) => InstanceAddress) {
  const world = new World();
  const dialled: string[] = [];
  const dial = world.dialer.dial;
  const dialer: typeof world.dialer = {
    dial: (address, spec, epoch) => {
      dialled.push(address.kind === 'frames' ? address.path : address.host);
      return dial(address, spec, epoch);
    },
  };
  const start = world.pool.start.bind(world.pool);
  world.pool.start = (order, onAddress?: (address: InstanceAddress) => void) => {
    onAddress?.(toldAddress(order.instanceId));
    return start(order);
  };
  const scheduling = createScheduling({ ...world.parts(), dialer, epoch: 1, limits: {} });
  await scheduling.start();
  return { world, scheduling, dialled };
}

test('the link is made while the instance still loads, once', async () => {
  const { world, scheduling, dialled } = await open((path) => ({ kind: 'frames', path }));
  const pending = scheduling.acquire(world.catalog.put('f'), 'r', NEVER);
  await world.clock.advance(50);
  assert.equal(dialled.length, 1);
  await world.clock.advance(100);
  const lease = await pending;
  assert.deepEqual(dialled, [lease.instanceId]);
  await scheduling.close();
});

test('an address that was not the last one is dialled in vain, and closed', async () => {
  const { world, scheduling, dialled } = await open((id) => ({ kind: 'frames', path: `old-${id}` }));
  const pending = scheduling.acquire(world.catalog.put('f'), 'r', NEVER);
  await world.clock.advance(150);
  const lease = await pending;
  assert.deepEqual(dialled, [`old-${lease.instanceId}`, lease.instanceId]);
  await world.links.get(`old-${lease.instanceId}`)?.closed;
  await scheduling.close();
});

test('a start that fails closes what was dialled; a dial that came too early is repeated', async () => {
  const failing = await open((path) => ({ kind: 'frames', path }));
  failing.world.pool.fail = () => new Error('no');
  const refused = assert.rejects(failing.scheduling.acquire(failing.world.catalog.put('f'), 'r', NEVER));
  await failing.world.clock.advance(150);
  await refused;
  await failing.world.links.get(failing.dialled[0] ?? '')?.closed;
  await failing.scheduling.close();

  const { world, scheduling, dialled } = await open((path) => ({ kind: 'frames', path }));
  world.dialFails = new LinkBrokenError('nobody listens yet');
  const pending = scheduling.acquire(world.catalog.put('f'), 'r', NEVER);
  await world.clock.advance(50);
  world.dialFails = undefined;
  await world.clock.advance(100);
  assert.equal((await pending).instanceId, dialled[1]);
  await scheduling.close();
});
