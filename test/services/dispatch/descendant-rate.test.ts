import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DescendantRate } from '../../../src/services/dispatch/descendant-rate.ts';

const MINUTE = 60_000;

test('within any span of time no more than the rate and one burst are admitted', () => {
  const step = fc.record({ pause: fc.integer({ min: 0, max: 5_000 }), tries: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.array(step, { maxLength: 60 }), (perMinute, steps) => {
      const rate = new DescendantRate();
      const admitted: number[] = [];
      let now = 1_000;
      for (const { pause, tries } of steps) {
        now += pause;
        for (let n = 0; n < tries; n++) if (rate.take('root', perMinute, now) === 'admitted') admitted.push(now);
      }
      for (const [first, from] of admitted.entries()) {
        for (let last = first; last < admitted.length; last++) {
          const minutes = ((admitted[last] ?? 0) - from) / MINUTE;
          assert.ok(last - first + 1 <= perMinute * (1 + minutes) + 1, `${last - first + 1} in ${minutes} minutes`);
        }
      }
    }),
  );
});

test('whoever stays below the rate is never refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 0, max: 1_000 }), (perMinute, slack) => {
      const rate = new DescendantRate();
      for (let n = 0; n < 100; n++) {
        assert.equal(rate.take('root', perMinute, n * (MINUTE / perMinute + slack)), 'admitted');
      }
    }),
  );
});

test('roots do not share their budget, and the first refusal in a minute is told apart', () => {
  const rate = new DescendantRate();
  const verdicts = Array.from({ length: 5 }, () => rate.take('a', 2, 0));
  assert.deepEqual(verdicts, ['admitted', 'admitted', 'refused-first', 'refused', 'refused']);
  assert.equal(rate.take('b', 2, 0), 'admitted');
  assert.equal(rate.take('a', 2, MINUTE / 2), 'admitted');
  assert.equal(rate.take('a', 2, MINUTE / 2), 'refused');
  assert.equal(rate.take('a', 2, MINUTE), 'admitted');
  assert.equal(rate.take('a', 2, MINUTE), 'refused-first');
});

test('no limit remembers nothing', () => {
  const rate = new DescendantRate();
  for (let n = 0; n < 100; n++) assert.equal(rate.take('a', Number.POSITIVE_INFINITY, 0), 'admitted');
  assert.equal(rate.size, 0);
});

test('memory is bounded, and a root that grows is not the one that is forgotten', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 400 }), (roots) => {
      const rate = new DescendantRate(16);
      let hot = 0;
      for (const [n, root] of roots.entries()) {
        if (rate.take('hot', 10, n) === 'admitted') hot++;
        rate.take(`r${root}`, 10, n);
        assert.ok(rate.size <= 16);
      }
      assert.ok(hot <= 11, `${hot} admitted`);
    }),
  );
});

test('roots that rest are forgotten while others come', () => {
  const rate = new DescendantRate();
  for (let n = 0; n < 1_000; n++) rate.take(`old${n}`, 60, 0);
  for (let n = 0; n < 600; n++) rate.take(`new${n}`, 60, 2 * MINUTE);
  assert.equal(rate.size, 600);
});
