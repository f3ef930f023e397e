import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ReservedFloor, VersionShape } from '../../../src/services/scheduler/events.ts';
import { shapeOf, Simulator } from './simulator.ts';

const F = shapeOf('f');
const HOUR = 3_600_000;

function reserve(simulator: Simulator, shape: VersionShape, count: number, more: Partial<ReservedFloor> = {}): void {
  const floor = { onDemand: true, alwaysCpu: false, balanced: false, ...more };
  simulator.send({ type: 'reserve', version: shape, count, ...floor });
}

function standing(simulator: Simulator, shape: VersionShape): { reserved: number; ready: number; free: number } {
  const version = simulator.state.versions.get(shape.key);
  return { reserved: version?.reserved ?? 0, ready: version?.ready ?? 0, free: version?.freeSlots ?? 0 };
}

describe('a floor', () => {
  test('is there without a call, stays for hours, and its calls are warm', () => {
    const simulator = new Simulator();
    reserve(simulator, F, 3);
    simulator.run(simulator.now + 1_000);
    assert.deepEqual(standing(simulator, F), { reserved: 3, ready: 3, free: 3 });
    simulator.run(simulator.now + 5 * HOUR);
    assert.equal(simulator.starts, 3);
    const calls = [simulator.call(F, 100), simulator.call(F, 100), simulator.call(F, 100)];
    assert.deepEqual(
      calls.map(({ end }) => end),
      ['granted', 'granted', 'granted'],
    );
    // The fourth overflows to an instance on demand, which goes when it was idle.
    simulator.call(F, 100);
    simulator.run(simulator.now + HOUR);
    assert.equal(simulator.starts, 4);
    assert.deepEqual(standing(simulator, F), { reserved: 3, ready: 3, free: 3 });
  });

  test('takes over what runs already before it starts more', () => {
    const simulator = new Simulator();
    simulator.call(F, 50);
    simulator.run(simulator.now + 500);
    reserve(simulator, F, 2);
    simulator.run(simulator.now + HOUR);
    assert.equal(simulator.starts, 2);
    assert.equal(simulator.stops, 0);
  });

  test('takes over what a new server finds', () => {
    const simulator = new Simulator();
    simulator.adopt(F, 0);
    simulator.adopt(F, 1);
    reserve(simulator, F, 2);
    simulator.run(simulator.now + HOUR);
    assert.equal(simulator.starts, 0);
    assert.equal(standing(simulator, F).ready, 2);
  });

  test('that is lowered ends the surplus at once: idle ones first, busy ones after their calls', () => {
    const simulator = new Simulator();
    reserve(simulator, F, 3);
    simulator.run(simulator.now + 1_000);
    const busy = [simulator.call(F, 400), simulator.call(F, 800)];
    reserve(simulator, F, 1);
    assert.equal(simulator.stops, 1, 'the idle one');
    simulator.run(simulator.now + 100);
    assert.deepEqual(
      busy.map(({ end }) => end),
      ['granted', 'granted'],
    );
    simulator.run(simulator.now + 1_000);
    assert.deepEqual(
      busy.map(({ end }) => end),
      ['done', 'done'],
    );
    assert.deepEqual(standing(simulator, F), { reserved: 1, ready: 1, free: 1 });
    reserve(simulator, F, 0);
    simulator.run(simulator.now + 100);
    assert.equal(simulator.instances.size, 0);
  });

  test('that is lowered before its instances are ready ends those when they are', () => {
    const simulator = new Simulator();
    reserve(simulator, F, 2);
    reserve(simulator, F, 0);
    simulator.run(simulator.now + 1_000);
    assert.equal(simulator.instances.size, 0);
  });

  test('replaces an instance that crashed', () => {
    const simulator = new Simulator();
    reserve(simulator, F, 2);
    simulator.run(simulator.now + 1_000);
    const [first = 0] = simulator.instances.keys();
    simulator.crash(first);
    simulator.run(simulator.now + 1_000);
    assert.deepEqual(standing(simulator, F), { reserved: 2, ready: 2, free: 2 });
  });

  test('replaces exclusive instances after their one call', () => {
    const exclusive = shapeOf('x', { exclusive: true });
    const simulator = new Simulator();
    reserve(simulator, exclusive, 2);
    simulator.run(simulator.now + 1_000);
    const call = simulator.call(exclusive, 10);
    assert.equal(call.end, 'granted');
    simulator.run(simulator.now + 1_000);
    assert.deepEqual(standing(simulator, exclusive), { reserved: 2, ready: 2, free: 2 });
    assert.equal(simulator.starts, 3);
  });

  test('whose starts fail is tried again, ever slower, without spinning', () => {
    const simulator = new Simulator({ world: { startMs: () => 10, startFails: () => 'function' } });
    reserve(simulator, F, 4);
    simulator.run(simulator.now + 60_000);
    assert.ok(simulator.starts < 60, `${simulator.starts} starts in a minute`);
    assert.ok(simulator.starts > 10, `${simulator.starts} starts in a minute`);
  });

  test('never gives way to others, and respects the limits of its account and function', () => {
    const simulator = new Simulator({ settings: { instancesPerAccount: 3 } });
    reserve(simulator, F, 5);
    simulator.run(simulator.now + 2_000);
    assert.deepEqual(standing(simulator, F), { reserved: 3, ready: 3, free: 3 });
    assert.equal(simulator.state.versions.get(F.key)?.shortOf, 'account');
    const other = simulator.call(shapeOf('other'), 10);
    assert.equal(other.end, 'account-limit');
    // Room that comes later is used.
    simulator.send({ type: 'account-limit', account: 'acc', limit: 10 });
    simulator.run(simulator.now + 2_000);
    assert.equal(standing(simulator, F).ready, 5);
    simulator.strictLimits = false;
    simulator.send({ type: 'function-limit', functionKey: F.functionKey, account: 'acc', limit: 2 });
    simulator.run(simulator.now + 2_000);
    assert.equal(standing(simulator, F).ready, 2);
    assert.equal(simulator.state.versions.get(F.key)?.shortOf, 'function');
  });

  test('without on-demand instances refuses what it cannot serve, but lets calls wait for its own starts', () => {
    const simulator = new Simulator();
    reserve(simulator, F, 2, { onDemand: false });
    const calls = [simulator.call(F, 5_000), simulator.call(F, 5_000), simulator.call(F, 5_000)];
    assert.equal(calls[2]?.end, 'on-demand-off');
    simulator.run(simulator.now + 1_000);
    assert.deepEqual(
      calls.map(({ end }) => end),
      ['granted', 'granted', 'on-demand-off'],
    );
    assert.equal(simulator.call(F, 10).end, 'on-demand-off');
    assert.equal(simulator.starts, 2);
    const free = shapeOf('g', { onDemand: false });
    assert.equal(simulator.call(free, 10).end, 'on-demand-off');
  });

  test('of a version that was replaced stands until it is taken away', () => {
    const simulator = new Simulator();
    reserve(simulator, F, 2);
    simulator.run(simulator.now + 1_000);
    simulator.send({ type: 'retire', version: F.key });
    assert.equal(simulator.call(F, 10).end, 'granted');
    simulator.run(simulator.now + HOUR);
    assert.equal(standing(simulator, F).ready, 2);
    reserve(simulator, F, 0);
    simulator.run(simulator.now + 100);
    assert.equal(simulator.instances.size, 0);
    assert.equal(simulator.state.versions.has(F.key), false);
  });

  test('balanced goes round, otherwise the most recently used is used again', () => {
    for (const balanced of [false, true]) {
      const simulator = new Simulator();
      reserve(simulator, F, 3, { balanced });
      simulator.run(simulator.now + 1_000);
      const used = new Set<number | undefined>();
      for (let i = 0; i < 3; i++) {
        used.add(simulator.call(F, 10).instance);
        simulator.run(simulator.now + 50);
      }
      assert.equal(used.size, balanced ? 3 : 1);
    }
  });
});

test('whatever happens, the floor is there again when the world is quiet, and calls end once', () => {
  const step = fc.record({
    after: fc.constantFrom(0, 5, 100, 400, 3_000),
    act: fc.oneof(
      fc.record({ type: fc.constant('call' as const), execMs: fc.constantFrom(1, 50, 900), count: fc.nat(5) }),
      fc.record({ type: fc.constant('floor' as const), count: fc.nat(6), onDemand: fc.boolean() }),
      fc.record({ type: fc.constant('crash' as const), pick: fc.nat() }),
      fc.record({ type: fc.constant('limit' as const), limit: fc.integer({ min: 1, max: 9 }) }),
    ),
  });
  const plan = fc.record({
    shape: fc.constantFrom(F, shapeOf('shared', { concurrency: 3 }), shapeOf('x', { exclusive: true })),
    failEvery: fc.constantFrom(0, 2, 3),
    steps: fc.array(step, { maxLength: 40 }),
    last: fc.nat(6),
  });
  fc.assert(
    fc.property(plan, ({ shape, failEvery, steps, last }) => {
      let quiet = false;
      const simulator = new Simulator({
        world: { startFails: (id) => (!quiet && failEvery > 0 && id % failEvery === 0 ? 'function' : undefined) },
      });
      simulator.strictLimits = false;
      for (const { after, act } of steps) {
        simulator.run(simulator.now + after);
        if (act.type === 'call') for (let i = 0; i < act.count; i++) simulator.call(shape, act.execMs);
        if (act.type === 'floor') reserve(simulator, shape, act.count, { onDemand: act.onDemand });
        if (act.type === 'limit') simulator.send({ type: 'account-limit', account: 'acc', limit: act.limit });
        if (act.type === 'crash') {
          const ready = [...simulator.instances.keys()].filter(
            (id) => simulator.state.instances.get(id)?.phase === 'ready',
          );
          const id = ready[act.pick % Math.max(1, ready.length)];
          if (id !== undefined) simulator.crash(id);
        }
      }
      quiet = true;
      simulator.send({ type: 'account-limit', account: 'acc', limit: 20 });
      reserve(simulator, shape, last);
      simulator.run(simulator.now + 120_000);
      const { reserved, ready } = standing(simulator, shape);
      assert.deepEqual([reserved, ready], [last, last]);
      for (const call of simulator.calls.values()) assert.notEqual(call.end, 'granted');
      for (const call of simulator.calls.values()) assert.notEqual(call.end, 'waiting');
      const { state } = simulator;
      assert.deepEqual([state.idle.size, state.memoryIdleMb, state.reservedIdle.size], [0, 0, last]);
      reserve(simulator, shape, 0);
      simulator.run();
      assert.equal(simulator.instances.size, 0);
      assert.deepEqual([state.memoryUsedMb, state.starting, state.reservedIdle.size], [0, 0, 0]);
    }),
    { numRuns: 400 },
  );
});
