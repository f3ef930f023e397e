import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOOP_DEFAULTS, loopLimitsOf, parseLoopLimit } from '../../../src/core/domain/loop-limits.ts';

test('a limit is a whole number from 1 or `unlimited`, nothing else', () => {
  assert.equal(parseLoopLimit('1'), 1);
  assert.equal(parseLoopLimit('999999'), 999_999);
  assert.equal(parseLoopLimit('unlimited'), Number.POSITIVE_INFINITY);
  for (const text of ['', '0', '-1', '1.5', ' 3', '03', '1000000', 'off', 'Unlimited']) {
    assert.equal(parseLoopLimit(text), undefined, text);
  }
});

test("a function's own limits stand before those of the installation, each by itself", () => {
  assert.deepEqual(loopLimitsOf({}, LOOP_DEFAULTS), LOOP_DEFAULTS);
  assert.deepEqual(loopLimitsOf({ TIDEMILL_MAX_HOPS: '3' }, LOOP_DEFAULTS), { ...LOOP_DEFAULTS, maxHops: 3 });
  assert.deepEqual(
    loopLimitsOf({ TIDEMILL_MAX_DESCENDANTS_PER_MINUTE: 'unlimited' }, { maxHops: 4, descendantsPerMinute: 5 }),
    { maxHops: 4, descendantsPerMinute: Number.POSITIVE_INFINITY },
  );
});
