import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SETTINGS } from '../../../src/services/scheduler/settings.ts';
import { createSchedulerState, type VersionState, versionState } from '../../../src/services/scheduler/state.ts';
import { arrivalRate, countArrival } from '../../../src/services/scheduler/window.ts';
import { shapeOf } from './simulator.ts';

/** Calls every `gapMs` from `from` on, for `calls` calls; answers the time of the last one. */
function arrive(version: VersionState, from: number, gapMs: number, calls: number): number {
  let now = from;
  for (let i = 0; i < calls; i++) {
    now = from + i * gapMs;
    countArrival(version, now, DEFAULT_SETTINGS);
  }
  return now;
}

function newVersion(): VersionState {
  return versionState(createSchedulerState({ epoch: 1, now: 0 }), shapeOf('f'));
}

function assertNear(actual: number, expected: number, share: number): void {
  assert.ok(Math.abs(actual - expected) <= share * expected, `${actual} is not near ${expected}`);
}

test('the rate is right for dense and for sparse calls, over windows of their own length', () => {
  for (const gapMs of [0.2, 1, 10, 300, 5_000]) {
    const version = newVersion();
    const end = arrive(version, 1_000, gapMs, 3_000);
    assertNear(arrivalRate(version, end, DEFAULT_SETTINGS), 1 / gapMs, 0.25);
    const expected = Math.min(Math.max(32 * gapMs, 200), 300_000);
    assertNear(version.windowMs, expected, 0.2);
  }
});

test('a burst after sparse calls is noticed at once, and forgotten when it is over', () => {
  const version = newVersion();
  const end = arrive(version, 0, 10_000, 100);
  const after = arrive(version, end + 10_000, 0.1, 1_000);
  assert.ok(arrivalRate(version, after, DEFAULT_SETTINGS) >= 3, 'calls per millisecond');
  assert.ok(arrivalRate(version, after + 60_000, DEFAULT_SETTINGS) < 0.1);
});
