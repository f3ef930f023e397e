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

test('the memory of an account is bounded: idle instances of its own give way, others are not touched', () => {
  const bounds = { instances: 10, calls: 10, memoryMb: 1_024 };
  const simulator = new Simulator({ settings: { boundsOf: (account) => (account === 'acc' ? bounds : undefined) } });
  const of = (name: string, account = 'acc') =>
    shapeOf(name, { account, functionKey: `${account}/${name}`, key: `${account}/${name}@1`, memoryMb: 512 });
  const other = simulator.call(of('x', 'other'), 10_000);
  const calls = ['f', 'g', 'h'].map((name) => simulator.call(of(name), 3_000));
  assert.deepEqual(
    calls.map(({ end }) => end),
    ['waiting', 'waiting', 'account-memory'],
  );
  simulator.run(4_000);
  const account = simulator.state.accounts.get('acc');
  assert.deepEqual([account?.memoryMb, account?.memoryIdleMb], [1_024, 1_024]);
  const later = simulator.call(of('h'), 10);
  simulator.run(8_000);
  assert.equal(later.end, 'done');
  assert.equal(account?.memoryMb, 1_024, 'an idle one has gone for it');
  bounds.memoryMb = 512;
  simulator.send({ type: 'account-bounds', account: 'acc' });
  assert.equal(account?.memoryLimitMb, 512);
  simulator.run(20_000_000);
  assert.equal(other.end, 'done');
  for (const each of simulator.state.accounts.values()) assert.deepEqual([each.memoryMb, each.memoryIdleMb], [0, 0]);
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
    remedy: /quota instances/,
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
    remedy: /quota calls/,
  });
  await few.close();
});

test('the operator may change the limits of an account, and is told of mistakes', () => {
  assert.equal(readSchedulerTuning(undefined).instancesPerAccount, LIMITS.instancesPerAccount);
  assert.equal(readSchedulerTuning('{"scheduler":{"callsPerAccount":7}}').callsPerAccount, 7);
  assert.throws(() => readSchedulerTuning('{"scheduler":{"calls":7}}'), /no setting scheduler.calls/);
  assert.throws(() => readSchedulerTuning('{"scheduler":{"callsPerAccount":0}}'), /whole number from 1/);
});
