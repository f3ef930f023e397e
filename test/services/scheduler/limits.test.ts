import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSchedulerTuning } from '../../../src/apps/server/tuning.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import { createScheduling } from '../../../src/services/scheduler/index.ts';
import { shapeOf, Simulator } from './simulator.ts';
import { World } from './world.ts';

test('calls of an account beyond its number in flight are refused at once, and let in again when some have ended', () => {
  const simulator = new Simulator({ settings: { callsPerAccount: 3, instancesPerAccount: 10 } });
  const shape = shapeOf('f', { concurrency: 10 });
  const calls = [1, 2, 3, 4].map(() => simulator.call(shape, 50));
  assert.equal(calls[3]?.end, 'account-calls');
  const other = simulator.call(shapeOf('g', { account: 'other', functionKey: 'other/g', key: 'other/g@1' }), 10);
  assert.equal(other.end, 'waiting', 'another account has its own number');
  simulator.run(1_000);
  const later = simulator.call(shape, 10);
  simulator.run(2_000);
  assert.deepEqual(
    [...calls.slice(0, 3), later].map(({ end }) => end),
    ['done', 'done', 'done', 'done'],
  );
  for (const account of simulator.state.accounts.values()) assert.equal(account.calls, 0);
});

test('a cancelled call counts no longer', () => {
  const simulator = new Simulator({ settings: { callsPerAccount: 1 } });
  simulator.cancel(simulator.call(shapeOf('f'), 10));
  const next = simulator.call(shapeOf('f'), 10);
  simulator.run(5_000);
  assert.equal(next.end, 'done');
});

test('every refusal names the limit, its value and what to do', async () => {
  const world = new World();
  const scheduling = createScheduling({
    ...world.parts(),
    epoch: 1,
    limits: { instancesPerAccount: 1, callsPerAccount: 2 },
  });
  await scheduling.start();
  const signal = new AbortController().signal;
  const acquire = (name: string) => scheduling.acquire(world.catalog.put(name), 'r', signal);
  const first = acquire('f');
  await world.clock.advance(200);
  await first;
  await assert.rejects(acquire('g'), {
    reason: 'account-instances',
    code: 'ResourceExhausted',
    status: 429,
    message: /all of its 1 instances/,
    remedy: /instancesPerAccount/,
  });
  await scheduling.close();
  const few = createScheduling({ ...world.parts(), epoch: 2, limits: { callsPerAccount: 1 } });
  await few.start();
  const running = few.acquire(world.catalog.put('h'), 'r', signal);
  running.catch(() => undefined);
  await world.clock.advance(10);
  await assert.rejects(few.acquire(world.catalog.put('i'), 'r', signal), {
    reason: 'account-calls',
    status: 429,
    message: /1 calls in flight/,
    remedy: /callsPerAccount/,
  });
  await few.close();
});

test('the operator may change the limits of an account, and is told of mistakes', () => {
  assert.equal(readSchedulerTuning(undefined).instancesPerAccount, LIMITS.instancesPerAccount);
  assert.equal(readSchedulerTuning('{"scheduler":{"callsPerAccount":7}}').callsPerAccount, 7);
  assert.throws(() => readSchedulerTuning('{"scheduler":{"calls":7}}'), /no setting scheduler.calls/);
  assert.throws(() => readSchedulerTuning('{"scheduler":{"callsPerAccount":0}}'), /whole number from 1/);
});
