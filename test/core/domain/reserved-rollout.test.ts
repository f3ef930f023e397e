import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rolloutStep, type Wing } from '../../../src/core/domain/reserved-rollout.ts';

const wing = (key: string, count: number): Wing => ({ key, count });

function step(
  goal: Wing[],
  serving: Wing[],
  ready: Record<string, number>,
  more: { blocked?: boolean; failed?: boolean } = {},
) {
  const { floors, switchNow } = rolloutStep({
    goal,
    serving,
    ready: (key) => ready[key] ?? 0,
    blocked: () => more.blocked === true,
    failed: () => more.failed === true,
  });
  return { switchNow, floors: Object.fromEntries(floors) };
}

test('the old serve on, in full, until all of the new are ready', () => {
  const goal = [wing('new', 2)];
  const serving = [wing('old', 2)];
  assert.deepEqual(step(goal, serving, { old: 2 }), { switchNow: false, floors: { new: 2, old: 2 } });
  assert.deepEqual(step(goal, serving, { old: 2, new: 1 }), { switchNow: false, floors: { new: 2, old: 2 } });
  assert.equal(step(goal, serving, { old: 2, new: 2 }).switchNow, true);
});

test('where there is no room for both, an old one goes for every new one', () => {
  const goal = [wing('new', 3)];
  const serving = [wing('old', 3)];
  assert.deepEqual(step(goal, serving, { old: 3 }, { blocked: true }).floors, { new: 3, old: 2 });
  assert.deepEqual(step(goal, serving, { old: 2, new: 1 }, { blocked: true }), {
    switchNow: true,
    floors: { new: 3, old: 1 },
  });
});

test('a new version that does not start is switched to, so that its error shows', () => {
  assert.equal(step([wing('new', 1)], [wing('old', 1)], { old: 1 }, { failed: true }).switchNow, true);
});

test('nothing wanted needs nothing ready', () => {
  assert.equal(step([wing('new', 0)], [wing('old', 0)], {}).switchNow, true);
});

test('a change of weights keeps what stays and adds what comes', () => {
  const result = step([wing('v1', 2), wing('v2', 2)], [wing('v1', 4)], { v1: 4 });
  assert.deepEqual(result, { switchNow: false, floors: { v1: 4, v2: 2 } });
});

test('step by step every roll-out ends, with or without room, and never with fewer ready than half', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 20 }), (count, spare) => {
      const ready = { old: count, new: 0 };
      const goal = [wing('new', count)];
      const serving = [wing('old', count)];
      const limit = count + spare;
      for (let round = 0; round < 100; round++) {
        const blocked = ready.new < count && ready.old + ready.new >= limit;
        const { switchNow, floors } = step(goal, serving, ready, { blocked });
        if (switchNow) {
          assert.ok(ready.new >= Math.floor((count - 1) / 2), `switched with ${ready.new} of ${count}`);
          return;
        }
        ready.old = Math.min(ready.old, floors['old'] ?? 0);
        if (ready.old + ready.new < limit && ready.new < (floors['new'] ?? 0)) ready.new++;
        assert.ok(ready.old + ready.new >= count - 1);
      }
      assert.fail('it never ends');
    }),
  );
});
