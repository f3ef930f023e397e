import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VersionSpec } from '../../../src/core/domain/version-spec.ts';
import type { Lease } from '../../../src/core/ports/scheduling.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { World } from './world.ts';

const NEVER = new AbortController().signal;

async function open(limits = {}) {
  const world = new World();
  const scheduling = createScheduling({ ...world.parts(), epoch: 1, limits });
  await scheduling.start();
  const lease = async (spec: VersionSpec): Promise<Lease> => {
    const pending = scheduling.acquire(spec, 'r', NEVER);
    await world.clock.advance(300);
    return pending;
  };
  return { world, scheduling, lease };
}

test('a cold call says why: first call, scaled out, crashed, expired, updated', async () => {
  const { world, scheduling, lease } = await open();
  const spec = world.catalog.put('f', { idleTimeout: 1 });
  const first = await lease(spec);
  assert.equal(first.timings.reason, 'first call');
  const second = await lease(spec);
  assert.equal(second.timings.reason, 'scaled out');
  const { queuedMs, placedMs, sandboxMs, runtimeMs, codeMs, initializerMs } = second.timings;
  assert.equal(
    queuedMs + (placedMs ?? 0) + sandboxMs + runtimeMs + codeMs + initializerMs,
    100,
    'the phases are the whole',
  );
  second.release('kill');
  await world.clock.advance(10);
  first.release('broken');
  await world.clock.advance(10);
  const third = await lease(spec);
  assert.equal(third.timings.reason, 'crashed');
  third.release('ok');
  await world.clock.advance(5_000);
  const fourth = await lease(spec);
  assert.equal(fourth.timings.reason, 'expired');
  fourth.release('ok');
  const changed = world.catalog.put('f', { idleTimeout: 1, memorySize: 1024 });
  await world.clock.advance(100);
  const fifth = await lease(changed);
  assert.equal(fifth.timings.reason, 'updated');
  assert.equal(scheduling.acquireNow(changed, 'r')?.timings.reason, undefined);
  await scheduling.close();
});

test('an instance that had to make room is told as evicted', async () => {
  const { world, scheduling, lease } = await open({ instancesPerAccount: 1 });
  const [f, g] = [world.catalog.put('f'), world.catalog.put('g')];
  (await lease(f)).release('ok');
  (await lease(g)).release('ok');
  assert.equal((await lease(f)).timings.reason, 'evicted');
  await scheduling.close();
});
