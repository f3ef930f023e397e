import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shapeOf, Simulator } from './simulator.ts';

const WIDE = { instancesPerAccount: 10_000, startsAtOnce: 10_000 };

function burst(simulator: Simulator, calls: number, overMs: number, execMs: number): void {
  const shape = shapeOf('f');
  for (let i = 0; i < calls; i++)
    simulator.at(simulator.now + (i * overMs) / calls, () => simulator.call(shape, execMs));
}

test('a burst of short calls on a cold function starts few instances', () => {
  const simulator = new Simulator({ settings: WIDE });
  burst(simulator, 1_000, 100, 10);
  simulator.run(5_000);
  assert.deepEqual(simulator.ends(), { done: 1_000 });
  assert.ok(simulator.starts <= 100, `${simulator.starts} starts`);
  const last = Math.max(...[...simulator.calls.values()].map((call) => call.endedAt ?? 0));
  assert.ok(last < 1_500, `last answer after ${last} ms`);
});

test('a burst of short calls on a warm function starts few instances', () => {
  const simulator = new Simulator({ settings: WIDE });
  simulator.call(shapeOf('f'), 10);
  simulator.run(2_000);
  const before = simulator.starts;
  burst(simulator, 1_000, 100, 10);
  simulator.run(7_000);
  assert.deepEqual(simulator.ends(), { done: 1_001 });
  assert.ok(simulator.starts - before <= 100, `${simulator.starts - before} starts`);
});

test('long calls get an instance each', () => {
  const simulator = new Simulator({ settings: WIDE });
  burst(simulator, 100, 10, 30_000);
  simulator.run(60_000);
  assert.equal(simulator.peak, 100);
  const last = Math.max(...[...simulator.calls.values()].map((call) => call.grantedAt ?? 0));
  assert.ok(last < 1_500, `last start of a call after ${last} ms`);
});

test('callers that wait for one another get as many instances as there are callers', () => {
  const simulator = new Simulator({ settings: WIDE });
  const shape = shapeOf('f', { idleMs: 600_000 });
  const again = (): void => {
    const call = simulator.call(shape, 100);
    const poll = (): void => {
      if (call.end === 'done') again();
      else simulator.at(simulator.now + 5, poll);
    };
    simulator.at(simulator.now + 5, poll);
  };
  for (let i = 0; i < 10; i++) again();
  simulator.run(10_000);
  const version = simulator.state.versions.get(shape.key);
  assert.ok((version?.ready ?? 0) >= 8, `${version?.ready} instances for 10 callers`);
  assert.ok((version?.ready ?? 0) <= 16, `${version?.ready} instances for 10 callers`);
});

test('calls that suddenly take long are noticed although the measured time is short', () => {
  const simulator = new Simulator({ settings: WIDE });
  const shape = shapeOf('f');
  for (let i = 0; i < 20; i++) {
    simulator.call(shape, 5);
    simulator.run(simulator.now + 400);
  }
  assert.equal(simulator.starts, 1);
  for (let i = 0; i < 10; i++) simulator.call(shape, 20_000);
  const begin = simulator.now;
  simulator.run(begin + 3_000);
  assert.deepEqual(simulator.ends(), { done: 20, granted: 10 });
});

test('a function that wants many instances does not keep another from its first', () => {
  const simulator = new Simulator({
    settings: { instancesPerAccount: 1_000, startsAtOnce: 4, startsUnmeasured: 1_000 },
  });
  for (let i = 0; i < 100; i++) simulator.call(shapeOf('greedy'), 60_000);
  simulator.run(50);
  const modest = simulator.call(shapeOf('modest'), 10);
  simulator.run(10_000);
  assert.ok((modest.grantedAt ?? Infinity) <= 900, `granted after ${modest.grantedAt} ms`);
  assert.equal(simulator.ends()['granted'], 100);
});
