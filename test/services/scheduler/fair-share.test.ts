import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { VersionShape } from '../../../src/services/scheduler/events.ts';
import { shapeOf, Simulator } from './simulator.ts';

const CAPACITY = 1_024;

function crowded(shape: VersionShape, callMs: number, calls: number): Simulator {
  const simulator = new Simulator();
  simulator.send({ type: 'memory', capacityMb: CAPACITY });
  for (let i = 0; i < calls; i++) simulator.call(shape, callMs);
  simulator.run(1_000);
  return simulator;
}

function memoryOf(simulator: Simulator, shape: VersionShape): number {
  return [...(simulator.state.versions.get(shape.key)?.instances ?? [])].length * shape.memoryMb;
}

describe('memory that one function has taken', () => {
  const heavy = shapeOf('heavy');

  test('a small function waits for one call of the heavy one, not for all of them', () => {
    const simulator = crowded(heavy, 5_000, 200);
    assert.equal(memoryOf(simulator, heavy), CAPACITY);
    const small = simulator.call(shapeOf('small'), 10);
    assert.equal(small.end, 'waiting');
    simulator.run(12_000);
    assert.equal(small.end, 'done', 'the heavy one had 25 rounds of calls before it');
    assert.equal(simulator.kills, 0, 'no call of the heavy one was broken');
    simulator.run();
    for (const call of simulator.calls.values()) assert.notEqual(call.end, 'killed');
  });

  test('a function of another account likewise, by what the accounts have', () => {
    const simulator = crowded(heavy, 5_000, 200);
    const other = shapeOf('small', {
      account: 'other',
      functionKey: 'other/small',
      key: 'other/small@1',
      memoryMb: 512,
    });
    const small = simulator.call(other, 10);
    simulator.run(40_000);
    assert.equal(small.end, 'done', 'as many as it takes give way, one after the other');
  });

  test('nobody gives way who would have less than whoever asks', () => {
    const simulator = crowded(shapeOf('one', { memoryMb: 512 }), 5_000, 1);
    simulator.call(shapeOf('two', { memoryMb: 512 }), 5_000);
    simulator.run(2_000);
    assert.equal(simulator.call(shapeOf('three', { memoryMb: 512 }), 10).end, 'no-capacity');
  });

  test('an idle instance gives way at once, also where more runs than there is room for', () => {
    const simulator = new Simulator();
    simulator.strictLimits = false;
    simulator.send({ type: 'memory', capacityMb: 256 });
    for (let i = 0; i < 2; i++) simulator.call(heavy, 5_000);
    simulator.run(1_000);
    simulator.adopt(heavy, 0);
    const small = simulator.call(shapeOf('small'), 10);
    simulator.run(12_000);
    assert.equal(small.end, 'done');
  });

  test('reserved instances do not give way', () => {
    const simulator = new Simulator();
    simulator.send({ type: 'memory', capacityMb: CAPACITY });
    const floor = { count: 8, onDemand: true, alwaysCpu: false, balanced: false };
    simulator.send({ type: 'reserve', version: heavy, ...floor });
    simulator.run(1_000);
    assert.equal(simulator.call(shapeOf('small'), 10).end, 'no-capacity');
  });
});

test('whatever sizes and calls: every call ends once, none is broken for another, and a newcomer with less than a fair share is served', () => {
  const size = fc.constantFrom(64, 128, 256);
  const load = fc.record({
    memoryMb: size,
    calls: fc.integer({ min: 20, max: 120 }),
    ms: fc.integer({ min: 50, max: 4_000 }),
  });
  fc.assert(
    fc.property(load, size, fc.integer({ min: 1, max: 4 }), ({ memoryMb, calls, ms }, smallMb, newcomers) => {
      const heavy = shapeOf('heavy', { memoryMb });
      const simulator = crowded(heavy, ms, calls);
      const made = Array.from({ length: newcomers }, (_, i) =>
        simulator.call(shapeOf(`small${i}`, { memoryMb: smallMb }), 10),
      );
      simulator.run();
      for (const call of simulator.calls.values()) assert.notEqual(call.end, 'waiting');
      assert.equal(simulator.kills, 0);
      const fair = CAPACITY / (newcomers + 1);
      if (smallMb + memoryMb <= fair) for (const call of made) assert.equal(call.end, 'done');
    }),
    { numRuns: 60 },
  );
});
