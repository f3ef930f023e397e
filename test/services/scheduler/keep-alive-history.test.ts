import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ClimbRecord } from '../../../src/services/scheduler/keep-alive-climb.ts';
import { GapHistory, type GapPlan } from '../../../src/services/scheduler/keep-alive-history.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const RANGE = 4 * 60 * MINUTE;
const worth = { memoryMb: 128, warmCall: 600 * SECOND * 512, start: 300 * 2_048 };
const nothing = new GapHistory(10 * SECOND, RANGE, true);

function historyOf(gaps: readonly number[]): GapHistory {
  const history = new GapHistory(10 * SECOND, RANGE);
  for (const gap of gaps) history.record(gap);
  return history;
}

function planOf(history: GapHistory, elapsed: number, memoryMb = worth.memoryMb): GapPlan {
  const question = { worth: { ...worth, memoryMb }, prior: nothing, priorWeight: 2, spread: 20, mayWake: true };
  return history.plan({ ...question, elapsed });
}

describe('what is done during a gap', () => {
  test('equal gaps: nothing is kept but the seconds around the next call', () => {
    const plan = planOf(historyOf(Array.from({ length: 20 }, () => 5 * MINUTE)), 0);
    assert.equal(plan.keep, 0);
    assert.ok(plan.wake > 4.9 * MINUTE && plan.wake < 5 * MINUTE, `wakes at ${plan.wake}`);
    assert.ok(plan.until > 5 * MINUTE && plan.until < 5.1 * MINUTE, `keeps until ${plan.until}`);
  });

  test('a rhythm that often fails is not trusted', () => {
    const gaps = Array.from({ length: 200 }, (_, i) => (i % 4 === 3 ? 2 * MINUTE : 5 * MINUTE));
    const plan = planOf(historyOf(gaps), 0);
    assert.ok(plan.keep > 2 * MINUTE || plan.wake < 2 * MINUTE, JSON.stringify(plan));
  });

  test('two usual gaps: there at the first, ended after it, started again ahead of the second', () => {
    const gaps = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 20 * SECOND : 60 * MINUTE));
    const plan = planOf(historyOf(gaps), 10 * SECOND, 256);
    assert.ok(plan.wake < 20 * SECOND && plan.until > 20 * SECOND && plan.until < 10 * MINUTE, JSON.stringify(plan));
    const later = planOf(historyOf(gaps), 2 * MINUTE, 256);
    assert.equal(later.keep, 2 * MINUTE);
    assert.ok(later.wake > 30 * MINUTE && later.wake < 60 * MINUTE, JSON.stringify(later));
  });

  test('what is large and seldom called is ended at once, what is small is kept', () => {
    const gaps = [40 * MINUTE, 90 * MINUTE, 3 * MINUTE, 200 * MINUTE];
    assert.ok(planOf(historyOf(gaps), 10 * SECOND, 4_096).keep <= 10 * SECOND);
    assert.ok(planOf(historyOf(gaps), 10 * SECOND, 8).until > 200 * MINUTE);
  });

  test('gaps that something else ended make a return less likely', () => {
    const history = historyOf([60 * SECOND, 70 * SECOND]);
    const before = planOf(history, 10 * SECOND, 1_024);
    for (let i = 0; i < 100; i++) history.recordUnfinished();
    const after = planOf(history, 10 * SECOND, 1_024);
    assert.ok(after.keep < before.keep || after.wake > before.wake);
  });

  test('asked again while it is kept, the plan keeps to what it said', () => {
    const gap = fc.integer({ min: 10 * SECOND, max: RANGE });
    fc.assert(
      fc.property(fc.array(gap, { maxLength: 60 }), fc.double({ min: 0.05, max: 0.95, noNaN: true }), (gaps, share) => {
        const history = historyOf(gaps);
        const first = planOf(history, 10 * SECOND);
        if (first.keep <= 10 * SECOND || gaps.length > 3) return;
        const later = planOf(history, 10 * SECOND + (first.keep - 10 * SECOND) * share);
        assert.equal(later.keep, first.keep);
        assert.equal(later.wake, first.wake);
      }),
    );
  });

  test('every plan is in order: kept, ended, started again, ended', () => {
    const gap = fc.integer({ min: 10 * SECOND, max: 2 * RANGE });
    fc.assert(
      fc.property(fc.array(gap, { maxLength: 300 }), fc.integer({ min: 0, max: RANGE }), (gaps, elapsed) => {
        const { keep, wake, until } = planOf(historyOf(gaps), elapsed);
        if (wake === Number.POSITIVE_INFINITY) return;
        assert.ok(wake >= Math.min(keep, elapsed) && until > wake, JSON.stringify({ elapsed, keep, wake, until }));
      }),
    );
  });
});

test('a climb that went on raises the chance of the next one, one that did not lowers it', () => {
  const everybody = new ClimbRecord();
  const goesOn = new ClimbRecord();
  const ends = new ClimbRecord();
  for (let i = 0; i < 20; i++) {
    const now = i * 60 * MINUTE;
    for (let level = 0; level < 4; level++) goesOn.reached(level, RANGE, now + level * SECOND, everybody);
    ends.reached(0, RANGE, now, everybody);
  }
  assert.ok(goesOn.chance(everybody) > 0.6);
  assert.ok(ends.chance(everybody) < 0.15);
  assert.equal(goesOn.reached(0, MINUTE, 0, everybody), false, 'reached a minute ago is not anew');
});
