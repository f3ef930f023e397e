import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadline, DeadlineWheel } from '../../../src/core/base/deadline-wheel.ts';

const operation = fc.oneof(
  fc.record({ type: fc.constant('set' as const), id: fc.nat(5), inMs: fc.integer({ min: -5, max: 400 }) }),
  fc.record({ type: fc.constant('clear' as const), id: fc.nat(5) }),
  fc.record({ type: fc.constant('pass' as const), ms: fc.nat(150) }),
);

test('reports every deadline once, not early, and by the time asked for', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
      let now = 1_000;
      const wheel = new DeadlineWheel<number>({ granularityMs: 10, buckets: 8, now });
      const deadlines = Array.from({ length: 6 }, (_, id) => new Deadline(id));
      const expected = new Map<number, number>();
      for (const step of operations) {
        if (step.type === 'set') {
          const deadline = deadlines[step.id];
          if (deadline === undefined) continue;
          wheel.set(deadline, now + step.inMs);
          expected.set(step.id, now + step.inMs);
        } else if (step.type === 'clear') {
          const deadline = deadlines[step.id];
          if (deadline !== undefined) wheel.clear(deadline);
          expected.delete(step.id);
        } else {
          now += step.ms;
          const reported: number[] = [];
          wheel.expire(now, (id) => reported.push(id));
          const due = [...expected].filter(([, at]) => at <= now).map(([id]) => id);
          assert.deepEqual(new Set(reported), new Set(due));
          assert.equal(reported.length, due.length);
          for (const id of due) expected.delete(id);
        }
        assert.equal(wheel.size, expected.size);
        assert.ok(wheel.earliest <= Math.min(...expected.values()));
      }
    }),
    { numRuns: 500 },
  );
});

test('following `earliest` reaches every deadline with few wake-ups', () => {
  const wheel = new DeadlineWheel<string>({ granularityMs: 10, buckets: 16, now: 0 });
  wheel.set(new Deadline('far'), 10_000);
  wheel.set(new Deadline('near'), 35);
  const reported: [string, number][] = [];
  let wakeUps = 0;
  while (wheel.size > 0) {
    const now = wheel.earliest;
    wheel.expire(now, (item) => reported.push([item, now]));
    wakeUps++;
  }
  assert.deepEqual(reported, [
    ['near', 35],
    ['far', 10_000],
  ]);
  assert.ok(wakeUps < 100, `${wakeUps} wake-ups`);
});

test('a deadline may be set again while it is reported', () => {
  const wheel = new DeadlineWheel<string>({ granularityMs: 10, buckets: 4, now: 0 });
  let count = 0;
  const deadline = new Deadline('again');
  wheel.set(deadline, 5);
  for (let now = 5; now <= 50; now += 5) {
    wheel.expire(now, () => {
      count++;
      wheel.set(deadline, now + 10);
    });
  }
  assert.equal(count, 5);
});
