import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';

const DAY_MS = 86_400_000;

test('timers longer than the engine can hold fire when they are due, once, and can be cancelled', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const fired: string[] = [];
  systemClock.after(DAY_MS, () => fired.push('a day'));
  systemClock.after(60 * DAY_MS, () => fired.push('sixty days'));
  const cancelled = systemClock.after(60 * DAY_MS, () => fired.push('cancelled'));
  context.mock.timers.tick(DAY_MS - 1);
  assert.deepEqual(fired, []);
  context.mock.timers.tick(1);
  assert.deepEqual(fired, ['a day']);
  const longest = 2 ** 31 - 1;
  context.mock.timers.tick(longest - DAY_MS);
  context.mock.timers.tick(longest);
  cancelled.dispose();
  context.mock.timers.tick(60 * DAY_MS - 2 * longest - 1);
  assert.deepEqual(fired, ['a day']);
  context.mock.timers.tick(1);
  assert.deepEqual(fired, ['a day', 'sixty days']);
  context.mock.timers.tick(DAY_MS);
  assert.equal(fired.length, 2);
});
