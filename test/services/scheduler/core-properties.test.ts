import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../../src/services/scheduler/core.ts';
import type { ReleaseOutcome, StartFailureCause, VersionShape } from '../../../src/services/scheduler/events.ts';
import { type Call, shapeOf, Simulator } from './simulator.ts';

const SHAPES = [
  shapeOf('plain'),
  shapeOf('shared', { concurrency: 4, memoryMb: 256 }),
  shapeOf('exclusive', { exclusive: true }),
  shapeOf('learnt', { keepAlive: 'learnt', concurrency: 2 }),
  shapeOf('versions', { key: 'acc/versions/1@1', concurrency: 2 }),
  shapeOf('versions', { key: 'acc/versions/LATEST@2', idleMs: 1_000 }),
];

const shape = fc.constantFrom(...SHAPES);
const action = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant('call' as const),
      shape,
      execMs: fc.constantFrom(1, 10, 80, 700, 4_000),
      outcome: fc.constantFrom<ReleaseOutcome>('ok', 'ok', 'ok', 'ok', 'kill', 'timeout', 'broken'),
      count: fc.constantFrom(1, 1, 1, 3, 12),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('cancel' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('stale' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('adopt' as const), shape, busy: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('retire' as const), shape }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('expect' as const), shape, after: fc.nat(100_000) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('limit' as const), shape, limit: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('unlimit' as const), shape }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('reserve' as const), shape, count: fc.nat(4), onDemand: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('memory' as const), mb: fc.integer({ min: 128, max: 2_048 }) }),
  },
);
const steps = fc.array(fc.record({ after: fc.constantFrom(0, 1, 20, 300, 2_000), action }), { maxLength: 60 });
const world = fc.record({
  startMs: fc.array(fc.constantFrom(1, 50, 400, 1_500), { minLength: 1, maxLength: 7 }),
  fails: fc.array(
    fc.constantFrom<StartFailureCause | undefined>(undefined, undefined, undefined, 'function', 'capacity', 'platform'),
    {
      minLength: 1,
      maxLength: 7,
    },
  ),
  account: fc.integer({ min: 1, max: 12 }),
  atOnce: fc.integer({ min: 1, max: 5 }),
});

type Step = typeof steps extends fc.Arbitrary<readonly (infer S)[]> ? S : never;
type WorldPlan = typeof world extends fc.Arbitrary<infer W> ? W : never;

function simulate(plan: WorldPlan): Simulator {
  return new Simulator({
    world: {
      startMs: (id) => plan.startMs[id % plan.startMs.length] ?? 1,
      startFails: (id) => plan.fails[id % plan.fails.length],
      stopMs: 40,
    },
    settings: { instancesPerAccount: plan.account, startsAtOnce: plan.atOnce },
  });
}

function fingerprint(simulator: Simulator): string {
  const { state } = simulator;
  return JSON.stringify([
    [...state.versions.values()].map((v) => [v.shape.key, v.ready, v.starting, v.freeSlots, v.waiting.size, v.execMs]),
    [...state.functions.values()].map((f) => [f.key, f.instances, f.idle]),
    [...state.requests.keys()],
    state.effects.length,
  ]);
}

/** A lease of an older epoch, and one that came back before, must change nothing. */
function sendStale(simulator: Simulator, call: Call): void {
  const before = fingerprint(simulator);
  const { state, now } = simulator;
  const { request } = call;
  if (call.end === 'granted')
    decide(state, { type: 'released', request, epoch: state.epoch - 1, outcome: 'kill' }, now);
  else if (call.end === 'done') decide(state, { type: 'released', request, epoch: state.epoch, outcome: 'kill' }, now);
  assert.equal(fingerprint(simulator), before);
}

function perform(simulator: Simulator, step: Step): void {
  const { action: act } = step;
  const calls = [...simulator.calls.values()];
  switch (act.type) {
    case 'call':
      for (let i = 0; i < act.count; i++) simulator.call(act.shape, act.execMs, act.outcome);
      break;
    case 'cancel': {
      const waiting = calls.filter((call) => call.end === 'waiting');
      const call = waiting[act.pick % Math.max(waiting.length, 1)];
      if (call !== undefined) simulator.cancel(call);
      break;
    }
    case 'crash': {
      // Only what has started: the end of a start is the start's own answer.
      const ids = [...simulator.instances.keys()].filter((id) => simulator.state.instances.get(id)?.phase === 'ready');
      const id = ids[act.pick % Math.max(ids.length, 1)];
      if (id !== undefined) simulator.crash(id);
      break;
    }
    case 'stale': {
      const call = calls[act.pick % Math.max(calls.length, 1)];
      if (call !== undefined) sendStale(simulator, call);
      break;
    }
    case 'adopt': {
      const id = simulator.adopt(act.shape, act.busy);
      simulator.at(simulator.now + 500, () => simulator.send({ type: 'adopted-drained', instance: id }));
      break;
    }
    case 'retire':
      simulator.send({ type: 'retire', version: act.shape.key });
      break;
    case 'expect':
      simulator.send({ type: 'expect', version: act.shape, at: simulator.now + act.after });
      break;
    case 'limit':
    case 'unlimit': {
      const { functionKey, account } = act.shape;
      const limit = act.type === 'limit' ? act.limit : undefined;
      simulator.send({ type: 'function-limit', functionKey, account, limit });
      break;
    }
    case 'reserve':
      reserve(simulator, act.shape, act.count, act.onDemand);
      break;
    case 'memory':
      simulator.send({ type: 'memory', capacityMb: act.mb });
      break;
  }
}

function reserve(simulator: Simulator, version: VersionShape, count: number, onDemand: boolean): void {
  simulator.send({ type: 'reserve', version, count, onDemand, alwaysCpu: false, balanced: false });
}

/** Runs until nothing is left to happen; reserved instances would go on for ever. */
function finish(simulator: Simulator): void {
  for (const each of SHAPES) reserve(simulator, each, 0, true);
  simulator.run();
}

function assertConverged(simulator: Simulator): void {
  const { state } = simulator;
  for (const call of simulator.calls.values()) {
    assert.ok(call.end !== 'waiting' && call.end !== 'granted', `call ${call.request} ended as ${call.end}`);
  }
  assert.equal(simulator.instances.size, 0, 'instances return to zero');
  assert.equal(state.instances.size, 0);
  assert.equal(state.requests.size, 0);
  assert.equal(state.idle.size, 0);
  assert.equal(state.blocked.size, 0);
  assert.deepEqual([state.starting, state.memoryUsedMb, state.memoryStoppingMb, state.memoryIdleMb], [0, 0, 0, 0]);
  for (const account of state.accounts.values()) assert.deepEqual([account.shared, account.blocked.size], [0, 0]);
  for (const version of state.versions.values()) assert.deepEqual([version.freeSlots, version.ready], [0, 0]);
}

test('every call ends exactly once and instances return to zero, whatever happens', () => {
  fc.assert(
    fc.property(world, steps, (plan, list) => {
      const simulator = simulate(plan);
      simulator.strictLimits = false;
      for (const step of list) {
        simulator.run(simulator.now + step.after);
        perform(simulator, step);
      }
      finish(simulator);
      assertConverged(simulator);
    }),
    { numRuns: 600 },
  );
});

test('limits of function, account and memory are never exceeded', () => {
  fc.assert(
    fc.property(world, steps, fc.nat(3), fc.integer({ min: 256, max: 2_048 }), (plan, list, limit, memory) => {
      const simulator = simulate(plan);
      const { functionKey, account } = SHAPES[0] ?? shapeOf('plain');
      simulator.send({ type: 'function-limit', functionKey, account, limit: Math.min(limit, plan.account) });
      simulator.send({ type: 'memory', capacityMb: memory });
      for (const step of list) {
        simulator.run(simulator.now + step.after);
        if (['call', 'cancel', 'crash', 'reserve', 'retire', 'stale'].includes(step.action.type))
          perform(simulator, step);
      }
      finish(simulator);
      assertConverged(simulator);
    }),
    { numRuns: 400 },
  );
});

test('the same events give the same effects', () => {
  fc.assert(
    fc.property(world, steps, (plan, list) => {
      const traces = [0, 1].map(() => {
        const simulator = simulate(plan);
        simulator.strictLimits = false;
        for (const step of list) {
          simulator.run(simulator.now + step.after);
          perform(simulator, step);
        }
        finish(simulator);
        return [...simulator.calls.values()].map((call) => [call.end, call.instance, call.grantedAt, call.endedAt]);
      });
      assert.deepEqual(traces[0], traces[1]);
    }),
    { numRuns: 50 },
  );
});
