import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../../src/services/scheduler/core.ts';
import type { ReleaseOutcome, SchedulerEffect } from '../../../src/services/scheduler/events.ts';
import { createSchedulerState } from '../../../src/services/scheduler/state.ts';
import { shapeOf } from './simulator.ts';

const SHAPE = shapeOf('short', { idleMs: 1_000 });

/** The core with `count` running instances and every lease in the order it was given; proven short from the start. */
function world(count: number) {
  const state = createSchedulerState({ epoch: 3, now: 0 });
  const leases = new Map<number, { instance: number; behind: boolean }>();
  const killed: number[] = [];
  let now = 0;
  let next = 1;
  const send = (event: Parameters<typeof decide>[1]): SchedulerEffect[] => {
    decide(state, event, (now += 1));
    const effects = state.effects.splice(0);
    for (const effect of effects) {
      if (effect.type === 'grant')
        leases.set(effect.request, { instance: effect.instance, behind: effect.behind === true });
      if (effect.type === 'kill') killed.push(effect.instance);
    }
    check();
    return effects;
  };
  const call = (): number => {
    send({ type: 'enqueue', request: next, version: SHAPE, wait: false });
    return next++;
  };
  const release = (request: number, outcome: ReleaseOutcome): void => {
    leases.delete(request);
    send({ type: 'released', request, epoch: 3, outcome });
  };
  const version = () => state.versions.get(SHAPE.key)!;
  function check(): void {
    const known = state.versions.get(SHAPE.key);
    if (known === undefined) return;
    let behind = 0;
    let free = 0;
    for (const instance of known.instances) {
      const held = [...leases.values()].filter((lease) => lease.instance === instance.id).length;
      assert.equal(instance.inFlight, held, 'leases are counted');
      assert.ok(instance.inFlight <= 16);
      if (instance.phase !== 'ready') continue;
      behind += Math.max(0, instance.inFlight - 1);
      free += instance.inFlight === 0 ? 1 : 0;
    }
    assert.deepEqual([known.behind, known.freeSlots, known.free.size], [behind, free, free]);
  }
  for (let i = 0; i < count; i++) {
    send({ type: 'adopted', instance: state.nextInstance++, version: SHAPE, busy: 0 });
  }
  for (let i = 0; i < 40; i++) release(call(), 'quick');
  return { state, leases, killed, send, call, release, version };
}

test('calls proven short gather at one instance while others are free', () => {
  const { call, leases, release } = world(8);
  const calls = [call(), call(), call()];
  assert.equal(new Set([...leases.values()].map(({ instance }) => instance)).size, 1);
  assert.deepEqual(
    [...leases.values()].map(({ behind }) => behind),
    [false, true, true],
  );
  // One that had to be taken back ends that: the next calls get instances of their own.
  release(calls[2]!, 'unbegun');
  const own = call();
  assert.equal(leases.get(own)?.behind, false);
});

test('each call behind has a free instance to go to, and a function with a limit is left alone', () => {
  const { call, leases, send } = world(2);
  for (let i = 0; i < 3; i++) call();
  assert.deepEqual(
    [...leases.values()].map(({ behind }) => behind),
    [false, true, false],
  );
  assert.equal(leases.has(call()), false);
  const limited = world(4);
  limited.send({ type: 'function-limit', functionKey: SHAPE.functionKey, account: SHAPE.account, limit: 4 });
  for (let i = 0; i < 4; i++) limited.call();
  assert.ok([...limited.leases.values()].every(({ behind }) => !behind));
  send({ type: 'tick' });
});

test('a call that is killed takes its instance along at once', () => {
  const { call, killed, release, leases } = world(4);
  const [first, second] = [call(), call()];
  const { instance } = leases.get(first)!;
  release(first, 'timeout');
  assert.deepEqual(killed, [instance]);
  release(second, 'unbegun');
});

test('counts stay true whatever order calls end in', () => {
  const outcome = fc.constantFrom<ReleaseOutcome>(
    'quick',
    'quick',
    'quick',
    'quick',
    'ok',
    'unbegun',
    'kill',
    'timeout',
    'broken',
  );
  const act = fc.oneof(
    { weight: 6, arbitrary: fc.constant({ do: 'call' as const }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('release' as const), pick: fc.nat(), outcome }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('exit' as const), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('adopt' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('retire' as const) }) },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(act, { maxLength: 80 }), (count, acts) => {
      const { state, leases, send, call, release } = world(count);
      for (const each of acts) {
        const ids = [...leases.keys()];
        if (each.do === 'call') call();
        else if (each.do === 'release' && ids.length > 0) release(ids[each.pick % ids.length]!, each.outcome);
        else if (each.do === 'adopt')
          send({ type: 'adopted', instance: state.nextInstance++, version: SHAPE, busy: 0 });
        else if (each.do === 'retire') send({ type: 'retire', version: SHAPE.key });
        else if (each.do === 'exit') {
          const instances = [...state.instances.keys()];
          if (instances.length > 0) send({ type: 'exited', instance: instances[each.pick % instances.length]! });
        }
      }
      for (const request of leases.keys()) release(request, 'ok');
      assert.equal(state.requests.size, 0);
    }),
    { numRuns: 300 },
  );
});
