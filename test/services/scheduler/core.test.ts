import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide } from '../../../src/services/scheduler/core.ts';
import { createSchedulerState } from '../../../src/services/scheduler/state.ts';
import { shapeOf, Simulator } from './simulator.ts';

describe('one call per instance', () => {
  test('a first call starts an instance and gets it', () => {
    const simulator = new Simulator();
    const call = simulator.call(shapeOf('f'), 50);
    simulator.run(1_000);
    assert.equal(call.end, 'done');
    assert.equal(call.grantedAt, 300);
    assert.equal(simulator.starts, 1);
  });

  test('the most recently used instance is taken first', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f');
    const older = simulator.adopt(shape, 0);
    const newer = simulator.adopt(shape, 0);
    assert.equal(simulator.call(shape, 10).instance, newer);
    assert.equal(simulator.call(shape, 20).instance, older);
    simulator.run(100);
    assert.equal(simulator.call(shape, 10).instance, older);
  });

  test('instances return to zero after the idle time of their function', () => {
    const simulator = new Simulator();
    simulator.call(shapeOf('f', { idleMs: 5_000 }), 100);
    simulator.run(5_300);
    assert.equal(simulator.instances.size, 1);
    simulator.run(5_800);
    assert.equal(simulator.instances.size, 0);
    assert.equal(simulator.state.idle.size, 0);
    assert.equal(simulator.state.memoryUsedMb, 0);
  });

  test('a call in between keeps the instance', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f', { idleMs: 5_000 });
    simulator.call(shape, 100);
    simulator.run(4_000);
    simulator.call(shape, 100);
    simulator.run(8_900);
    assert.equal(simulator.instances.size, 1);
    simulator.run(10_000);
    assert.equal(simulator.instances.size, 0);
    assert.equal(simulator.starts, 1);
  });

  test('a waiting call takes a freed slot when that comes first', () => {
    const simulator = new Simulator({ world: { startMs: () => 1_000 } });
    const shape = shapeOf('f');
    simulator.adopt(shape, 0);
    simulator.call(shape, 100);
    const second = simulator.call(shape, 100);
    simulator.run(20_000);
    assert.equal(second.grantedAt, 100);
  });
});

describe('several calls per instance', () => {
  test('an instance is filled before another is started', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f', { concurrency: 10 });
    const calls = Array.from({ length: 10 }, () => simulator.call(shape, 1_000));
    simulator.run(400);
    assert.equal(simulator.starts, 1);
    assert.equal(new Set(calls.map((call) => call.instance)).size, 1);
    simulator.call(shape, 1_000);
    simulator.run(700);
    assert.equal(simulator.starts, 2);
  });

  test('a call that ran out of time lets the others on its instance finish', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f', { concurrency: 2 });
    simulator.call(shape, 500, 'timeout');
    const other = simulator.call(shape, 900);
    simulator.run(900);
    assert.equal(simulator.kills, 0);
    const late = simulator.call(shape, 10);
    simulator.run(5_000);
    assert.equal(other.end, 'done');
    assert.equal(simulator.kills, 1);
    assert.notEqual(late.instance, other.instance);
  });
});

describe('exclusive instances', () => {
  test('serve one call and end', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f', { exclusive: true });
    const calls = Array.from({ length: 5 }, () => simulator.call(shape, 10));
    simulator.run();
    assert.equal(new Set(calls.map((call) => call.instance)).size, 5);
    assert.equal(simulator.starts, 5);
    assert.equal(simulator.instances.size, 0);
  });
});

describe('limits', () => {
  test('reserved concurrency refuses at once what is beyond it', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f');
    simulator.send({ type: 'function-limit', functionKey: shape.functionKey, account: 'acc', limit: 2 });
    const calls = Array.from({ length: 3 }, () => simulator.call(shape, 100));
    assert.deepEqual(
      calls.map((call) => call.end),
      ['waiting', 'waiting', 'function-limit'],
    );
    simulator.run();
    assert.equal(simulator.peak, 2);
  });

  test('a reservation of 0 refuses everything, also what waits already', () => {
    const simulator = new Simulator();
    simulator.strictLimits = false;
    const shape = shapeOf('f');
    const early = simulator.call(shape, 100);
    simulator.send({ type: 'function-limit', functionKey: shape.functionKey, account: 'acc', limit: 0 });
    assert.equal(early.end, 'function-limit');
    assert.equal(simulator.call(shape, 100).end, 'function-limit');
    simulator.run();
    assert.equal(simulator.instances.size, 0);
  });

  test('reserved instances are not available to other functions', () => {
    const simulator = new Simulator({ settings: { instancesPerAccount: 3 } });
    simulator.send({ type: 'function-limit', functionKey: 'acc/reserved', account: 'acc', limit: 2 });
    const calls = Array.from({ length: 2 }, () => simulator.call(shapeOf('other'), 10_000));
    assert.deepEqual(
      calls.map((call) => call.end),
      ['waiting', 'account-limit'],
    );
    assert.equal(simulator.call(shapeOf('reserved'), 10).end, 'waiting');
    simulator.run(1_000);
  });

  test('an idle instance of another function gives way at the account limit', () => {
    const simulator = new Simulator({ settings: { instancesPerAccount: 1 } });
    simulator.call(shapeOf('a'), 10);
    simulator.run(1_000);
    const call = simulator.call(shapeOf('b'), 10);
    assert.equal(call.end, 'waiting');
    simulator.run(2_000);
    assert.equal(call.end, 'done');
    assert.equal(simulator.peak, 1);
  });

  test('an idle instance of another version gives way at the function limit', () => {
    const simulator = new Simulator();
    const one = shapeOf('f', { key: 'acc/f/1@1' });
    const two = shapeOf('f', { key: 'acc/f/2@2' });
    simulator.send({ type: 'function-limit', functionKey: 'acc/f', account: 'acc', limit: 1 });
    simulator.call(one, 10);
    simulator.run(1_000);
    const call = simulator.call(two, 10);
    simulator.run(2_000);
    assert.equal(call.end, 'done');
    assert.equal(simulator.peak, 1);
  });

  test('memory of the nodes: refused when nothing can give way, waiting when something is ending', () => {
    const simulator = new Simulator({ world: { stopMs: 500 } });
    simulator.send({ type: 'memory', capacityMb: 256 });
    simulator.call(shapeOf('a', { memoryMb: 256 }), 1_000);
    assert.equal(simulator.call(shapeOf('b'), 10).end, 'no-capacity');
    simulator.run(2_000);
    const later = simulator.call(shapeOf('b'), 10);
    assert.equal(later.end, 'waiting');
    simulator.run(5_000);
    // 500 ms until the idle instance has gone, then its own start.
    assert.equal(later.grantedAt, 2_000 + 500 + 300);
  });

  test('without on-demand instances every call is refused', () => {
    const simulator = new Simulator();
    assert.equal(simulator.call(shapeOf('f', { onDemand: false }), 1).end, 'on-demand-off');
  });

  test('a lowered limit is reached without breaking running calls', () => {
    const simulator = new Simulator();
    simulator.strictLimits = false;
    const shape = shapeOf('f');
    const calls = Array.from({ length: 4 }, () => simulator.call(shape, 1_000));
    simulator.run(600);
    simulator.send({ type: 'function-limit', functionKey: 'acc/f', account: 'acc', limit: 1 });
    simulator.run(1_500);
    assert.equal(simulator.instances.size, 1);
    assert.ok(calls.every((call) => call.end === 'done'));
  });
});

describe('failed starts', () => {
  test('the error goes to the call that caused the start; the others keep their starts', () => {
    const simulator = new Simulator({ world: { startFails: (instance) => (instance === 1 ? 'function' : undefined) } });
    const shape = shapeOf('f');
    const calls = Array.from({ length: 3 }, () => simulator.call(shape, 1_000));
    simulator.run();
    assert.deepEqual(
      calls.map((call) => call.end),
      ['start-failed', 'done', 'done'],
    );
  });

  test('when nothing else is starting everyone who waits hears of it', () => {
    const simulator = new Simulator({
      world: { startFails: () => 'function' },
      settings: { startsUnmeasured: 1 },
    });
    const calls = Array.from({ length: 20 }, () => simulator.call(shapeOf('f'), 10));
    simulator.run();
    assert.ok(calls.every((call) => call.end === 'start-failed'));
    assert.equal(simulator.starts, 1);
  });

  test('callers that keep coming cause a bounded number of starts', () => {
    const simulator = new Simulator({
      world: { startFails: () => 'function', startMs: () => 20 },
      settings: { instancesPerAccount: 10_000 },
    });
    const shape = shapeOf('broken');
    for (let at = 0; at < 10_000; at += 5) simulator.at(at, () => simulator.call(shape, 10));
    simulator.run();
    assert.equal(simulator.ends()['start-failed'], 2_000);
    assert.ok(simulator.starts < 60, `${simulator.starts} starts`);
  });

  test('a node without room: an idle instance makes room, then the call is refused', () => {
    let full = true;
    const simulator = new Simulator({
      world: { startFails: (_, shape) => (full && shape.functionKey === 'acc/b' ? 'capacity' : undefined) },
    });
    simulator.call(shapeOf('a'), 10);
    simulator.run(1_000);
    const first = simulator.call(shapeOf('b'), 10);
    simulator.run(1_400);
    assert.equal(simulator.stops, 1);
    full = false;
    simulator.run(3_000);
    assert.equal(first.end, 'done');
    full = true;
    simulator.run(60_000);
    const second = simulator.call(shapeOf('b'), 10);
    simulator.run();
    assert.equal(second.end, 'start-failed');
  });
});

describe('changes', () => {
  test('retire ends idle instances at once and busy ones after their call', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f');
    simulator.adopt(shape, 0);
    simulator.adopt(shape, 0);
    const running = simulator.call(shape, 500);
    simulator.send({ type: 'retire', version: shape.key });
    simulator.run(400);
    assert.equal(simulator.instances.size, 1);
    simulator.run();
    assert.equal(running.end, 'done');
    assert.equal(simulator.state.versions.size, 0);
    assert.equal(simulator.state.functions.size, 0);
  });

  test('an adopted instance gives its busy slots only when they have ended', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f', { concurrency: 2 });
    const adopted = simulator.adopt(shape, 1);
    const first = simulator.call(shape, 5_000);
    assert.equal(first.instance, adopted);
    const second = simulator.call(shape, 10);
    assert.equal(second.end, 'waiting');
    simulator.send({ type: 'adopted-drained', instance: adopted });
    assert.equal(second.instance, adopted);
    simulator.run();
  });

  test('a cancelled call leaves the queue and its instance serves the next', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f');
    const gone = simulator.call(shape, 10);
    simulator.run(100);
    simulator.cancel(gone);
    simulator.run(1_000);
    assert.equal(simulator.instances.size, 1);
    const next = simulator.call(shape, 10);
    assert.equal(next.grantedAt, 1_000);
    simulator.run();
  });

  test('an instance that dies is replaced for those who wait', () => {
    const simulator = new Simulator();
    const shape = shapeOf('f');
    const instance = simulator.adopt(shape, 0);
    simulator.call(shape, 60_000);
    simulator.run(10);
    const waiting = simulator.call(shape, 10);
    simulator.crash(instance);
    simulator.run(5_000);
    assert.equal(waiting.end, 'done');
  });

  test('a lease of another epoch changes nothing, and a lease comes back once', () => {
    const state = createSchedulerState({ epoch: 5, now: 0 });
    const shape = shapeOf('f');
    decide(state, { type: 'adopted', instance: state.nextInstance++, version: shape, busy: 0 }, 0);
    decide(state, { type: 'enqueue', request: 1, version: shape, wait: true }, 1);
    decide(state, { type: 'released', request: 1, epoch: 4, outcome: 'kill' }, 2);
    assert.equal(state.requests.size, 1);
    assert.equal(state.versions.get(shape.key)?.freeSlots, 0);
    decide(state, { type: 'released', request: 1, epoch: 5, outcome: 'ok' }, 3);
    decide(state, { type: 'released', request: 1, epoch: 5, outcome: 'kill' }, 4);
    assert.equal(state.versions.get(shape.key)?.freeSlots, 1);
    assert.deepEqual(
      state.effects.map((effect) => effect.type),
      ['grant'],
    );
  });
});
