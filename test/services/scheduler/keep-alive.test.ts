import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VersionShape } from '../../../src/services/scheduler/events.ts';
import { shapeOf, Simulator } from './simulator.ts';

const MINUTE = 60_000;
const learnt = (name: string, more: Partial<VersionShape> = {}): VersionShape =>
  shapeOf(name, { keepAlive: 'learnt', ...more });

/** One short call now; answers whether it waited for a start. */
function call(simulator: Simulator, shape: VersionShape): boolean {
  const made = simulator.call(shape, 20);
  const cold = made.end === 'waiting';
  simulator.run(simulator.now + 2_000);
  assert.equal(made.end, 'done');
  return cold;
}

describe('learnt keep-alive', () => {
  test('calls at equal distances find an instance that was started ahead, and none is kept in between', () => {
    const simulator = new Simulator();
    const shape = learnt('periodic');
    let coldLater = 0;
    let idleMs = 0;
    for (let i = 0; i < 30; i++) {
      const cold = call(simulator, shape);
      if (i >= 10 && cold) coldLater++;
      const end = (i + 1) * 30 * MINUTE;
      while (simulator.now < end) {
        if (i >= 10 && simulator.instances.size > 0) idleMs += 1_000;
        simulator.run(simulator.now + 1_000);
      }
    }
    assert.equal(coldLater, 0);
    assert.ok(idleMs < 0.35 * 20 * 30 * MINUTE, `kept for ${idleMs / MINUTE} of 600 minutes`);
  });

  test('a version that is never called again is not started again and again', () => {
    const simulator = new Simulator();
    const shape = learnt('gone');
    for (let i = 0; i < 12; i++) {
      call(simulator, shape);
      simulator.run((i + 1) * 20 * MINUTE);
    }
    const { starts } = simulator;
    simulator.run();
    assert.ok(simulator.starts - starts <= 1, 'at most the one that was planned');
    assert.equal(simulator.instances.size, 0);
    assert.equal(simulator.state.wakeTimers.size, 0);
  });

  test('the idle time that a function names is kept to the moment', () => {
    const simulator = new Simulator();
    const shape = shapeOf('named', { keepAlive: 'fixed', idleMs: 90_000 });
    call(simulator, shape);
    const idleSince = 320;
    simulator.run(idleSince + 89_000);
    assert.equal(simulator.instances.size, 1);
    simulator.run(idleSince + 91_000);
    assert.equal(simulator.instances.size, 0);
  });
});

describe('expected calls', () => {
  test('a timer finds its instance ready, the first time too', () => {
    const simulator = new Simulator();
    const shape = learnt('timer');
    for (let hour = 1; hour <= 5; hour++) {
      const at = hour * 60 * MINUTE;
      simulator.send({ type: 'expect', version: shape, at });
      simulator.run(at);
      assert.equal(call(simulator, shape), false, `hour ${hour}`);
    }
    assert.equal(simulator.starts, 5);
    simulator.run();
    assert.equal(simulator.instances.size, 0);
  });

  test('an instance is not ended just before its call', () => {
    const simulator = new Simulator();
    const shape = learnt('soon');
    call(simulator, shape);
    for (let i = 0; i < 20; i++) {
      const at = simulator.now + 12_000;
      simulator.send({ type: 'expect', version: shape, at });
      simulator.run(at);
      assert.equal(call(simulator, shape), false);
    }
    assert.equal(simulator.starts, 1);
  });

  test('starting ahead takes no room from others and keeps to the limits', () => {
    const simulator = new Simulator({ settings: { instancesPerAccount: 1 } });
    const other = shapeOf('other', { idleMs: 3_600_000 });
    call(simulator, other);
    simulator.send({ type: 'expect', version: learnt('timer'), at: 10 * MINUTE });
    simulator.run(10 * MINUTE);
    assert.equal(simulator.starts, 1, 'only the other');
    assert.equal(simulator.stops, 0);
  });
});

describe('instances beyond the first', () => {
  /** Three calls of three seconds at once. */
  function burst(simulator: Simulator, shape: VersionShape): number {
    const calls = [0, 1, 2].map(() => simulator.call(shape, 3_000));
    const cold = calls.filter((made) => made.end === 'waiting').length;
    simulator.run(simulator.now + 10_000);
    return cold;
  }

  test('bursts at equal distances find all their instances started ahead, and none is kept in between', () => {
    const simulator = new Simulator();
    const shape = learnt('bursts', { memoryMb: 1_024 });
    let coldLater = 0;
    for (let i = 0; i < 24; i++) {
      const cold = burst(simulator, shape);
      if (i >= 12) coldLater += cold;
      simulator.run((i + 1) * 20 * MINUTE - 10 * MINUTE);
      if (i >= 12) assert.equal(simulator.instances.size, 0, `half way to burst ${i + 1}`);
      simulator.run((i + 1) * 20 * MINUTE);
    }
    assert.equal(coldLater, 0);
  });

  test('where demand climbs step by step an instance is started ahead of the next step', () => {
    const climb = (simulator: Simulator, shape: VersionShape): number => {
      let cold = 0;
      for (let i = 0; i < 6; i++) {
        if (simulator.call(shape, 60_000).end === 'waiting') cold++;
        simulator.run(simulator.now + 3_000);
      }
      return cold;
    };
    const simulator = new Simulator();
    const teacher = learnt('teacher', { memoryMb: 64 });
    for (let i = 0; i < 3; i++) {
      climb(simulator, teacher);
      simulator.run(simulator.now + 300 * MINUTE);
    }
    assert.ok(climb(simulator, learnt('new', { memoryMb: 64 })) <= 3, 'at least every other step is met');
  });

  test('instances for nobody are started within the memory of the nodes only', () => {
    const simulator = new Simulator();
    simulator.send({ type: 'memory', capacityMb: 1_000 });
    const shape = learnt('bursts', { memoryMb: 400 });
    let peak = 0;
    for (let i = 0; i < 8; i++) {
      burst(simulator, shape);
      for (let step = 0; step < 20; step++) {
        simulator.run(simulator.now + MINUTE);
        peak = Math.max(peak, simulator.state.memoryUsedMb);
      }
    }
    assert.ok(peak <= 1_000);
  });

  test('a timer that is due while its last call still runs finds another instance', () => {
    const simulator = new Simulator();
    const shape = learnt('overlapping');
    const long = simulator.call(shape, 5 * MINUTE);
    simulator.run(MINUTE);
    assert.equal(long.end, 'granted');
    simulator.send({ type: 'expect', version: shape, at: 2 * MINUTE });
    simulator.run(2 * MINUTE);
    assert.equal(call(simulator, shape), false);
  });
});

test('memory pressure evicts what is cheap to lose, not what was idle longest', () => {
  const simulator = new Simulator();
  simulator.send({ type: 'memory', capacityMb: 1_024 });
  const valued = shapeOf('valued', { memoryMb: 128, idleMs: 3_600_000 });
  const large = shapeOf('large', { memoryMb: 640, idleMs: 3_600_000 });
  for (let i = 0; i < 50; i++) call(simulator, valued);
  call(simulator, large);
  call(simulator, shapeOf('new', { memoryMb: 512 }));
  const left = [...simulator.state.instances.values()].map((instance) => instance.version.shape.functionKey);
  assert.deepEqual(left.toSorted(), ['acc/new', 'acc/valued']);
});
