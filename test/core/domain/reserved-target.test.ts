import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type {
  ReservedConfigRecord,
  ScheduledTarget,
  TrackingPolicy,
} from '../../../src/core/domain/reserved-config.ts';
import { desiredTarget, nextChange, sharesOf, trackedTarget } from '../../../src/core/domain/reserved-target.ts';
import { parseSchedule, policyTime } from '../../../src/core/domain/reserved-time.ts';
import { scheduleFiring } from '../../../src/services/scheduler/reserved-schedule.ts';

const at = (text: string): number => Date.parse(text);

function action(
  name: string,
  scheduleExpression: string,
  target: number,
  more: Partial<ScheduledTarget> = {},
): ScheduledTarget {
  return { name, scheduleExpression, target, startTime: '', endTime: '', timeZone: '', since: 0, ...more };
}

function tracking(name: string, min: number, max: number, more: Partial<TrackingPolicy> = {}): TrackingPolicy {
  return {
    name,
    metricType: 'CPUUtilization',
    metricTarget: 0.5,
    min,
    max,
    startTime: '',
    endTime: '',
    timeZone: '',
    ...more,
  };
}

function config(more: Partial<ReservedConfigRecord>): ReservedConfigRecord {
  return {
    account: 'a',
    functionName: 'f',
    qualifier: 'LATEST',
    kind: 'provision',
    defaultTarget: 1,
    alwaysAllocateCPU: false,
    onDemand: true,
    requestDispatchPolicy: '',
    scheduled: [],
    tracking: [],
    lastModifiedTime: 0,
    ...more,
  };
}

function targetAt(record: ReservedConfigRecord, when: string, tracked = 0): number {
  return desiredTarget(record, at(when), scheduleFiring, () => tracked);
}

describe('scheduled targets', () => {
  // The vendor's own sample: up at 20:00, down at 22:00, within a window of days, in Shanghai (UTC+8).
  const window = { startTime: '2024-08-01T10:00:00', endTime: '2024-08-30T10:00:00', timeZone: 'Asia/Shanghai' };
  const sample = config({
    scheduled: [action('up', 'cron(0 0 20 * * *)', 50, window), action('down', 'cron(0 0 22 * * *)', 10, window)],
  });
  const table: [string, number][] = [
    ['2024-08-01T01:59:59Z', 1],
    ['2024-08-01T02:00:00Z', 1], // in the window, nothing has fired in it
    ['2024-08-01T11:59:59Z', 1],
    ['2024-08-01T12:00:00Z', 50],
    ['2024-08-01T13:59:59Z', 50],
    ['2024-08-01T14:00:00Z', 10],
    ['2024-08-02T12:00:00Z', 50],
    ['2024-08-30T01:59:59Z', 10],
    ['2024-08-30T02:00:00Z', 1], // over: the default again
  ];
  for (const [when, expected] of table) {
    test(`at ${when} the target is ${expected}`, () => assert.equal(targetAt(sample, when), expected));
  }

  test('a schedule that was put after its time has not fired', () => {
    const since = at('2030-01-01T12:00:00Z');
    const record = config({ scheduled: [action('a', 'at(2030-01-01T11:00:00)', 5, { since })] });
    assert.equal(targetAt(record, '2030-01-01T13:00:00Z'), 1);
  });

  test('at() fires once, in the zone of the policy', () => {
    const record = config({ scheduled: [action('a', 'at(2030-07-01T08:00:00)', 5, { timeZone: 'Europe/Berlin' })] });
    assert.equal(targetAt(record, '2030-07-01T05:59:59Z'), 1);
    assert.equal(targetAt(record, '2030-07-01T06:00:00Z'), 5);
    assert.equal(targetAt(record, '2031-01-01T00:00:00Z'), 5);
  });

  test('fired at the same time, the larger counts; over the kinds of policies, too', () => {
    const scheduled = [action('a', 'at(2030-01-01T00:00:00)', 3), action('b', 'at(2030-01-01T00:00:00)', 7)];
    assert.equal(targetAt(config({ scheduled }), '2030-01-02T00:00:00Z'), 7);
    const both = config({ scheduled, tracking: [tracking('t', 1, 20)] });
    assert.equal(targetAt(both, '2030-01-02T00:00:00Z', 9), 9);
    assert.equal(targetAt(both, '2030-01-02T00:00:00Z', 2), 7);
  });

  test('while a policy is in effect the default is ignored, even a larger one', () => {
    const record = config({ defaultTarget: 30, scheduled: [action('a', 'at(2030-01-01T00:00:00)', 2)] });
    assert.equal(targetAt(record, '2030-01-02T00:00:00Z'), 2);
    const tracked = config({ defaultTarget: 30, tracking: [tracking('t', 1, 5, { endTime: '2030-01-02T00:00:00Z' })] });
    assert.equal(targetAt(tracked, '2030-01-01T00:00:00Z', 2), 2);
    assert.equal(targetAt(tracked, '2030-01-02T00:00:00Z', 2), 30);
  });

  test('between two changes the target does not change', () => {
    const minutes = fc.integer({ min: 0, max: 3 * 1440 });
    const policies = fc.array(
      fc.record({ minute: fc.integer({ min: 0, max: 59 }), hour: fc.integer({ min: 0, max: 23 }), target: fc.nat(20) }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(policies, minutes, (list, minute) => {
        const scheduled = list.map(({ minute: m, hour, target }, index) =>
          action(`p${index}`, `cron(0 ${m} ${hour} * * *)`, target, {
            startTime: '2030-01-01T06:00:00Z',
            endTime: '2030-01-03T06:00:00Z',
          }),
        );
        const record = config({ scheduled });
        const now = at('2030-01-01T00:00:00Z') + minute * 60_000;
        const next = nextChange(record, now, scheduleFiring);
        const before = desiredTarget(record, now, scheduleFiring, () => 0);
        const until = Math.min(next, now + 86_400_000);
        for (const share of [0.25, 0.5, 0.999]) {
          const time = Math.floor(now + (until - now) * share);
          assert.equal(
            desiredTarget(record, time, scheduleFiring, () => 0),
            before,
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('times and expressions', () => {
  const times: [string, string, string | undefined][] = [
    ['2030-01-01T00:00:00', '', '2030-01-01T00:00:00.000Z'],
    ['2030-01-01T00:00:00Z', 'Asia/Shanghai', '2030-01-01T00:00:00.000Z'],
    ['2030-01-01T00:00:00.500Z', '', '2030-01-01T00:00:00.500Z'],
    ['2030-01-01T00:00:00', 'Asia/Shanghai', '2029-12-31T16:00:00.000Z'],
    ['2030-07-01T00:00:00', 'America/New_York', '2030-07-01T04:00:00.000Z'],
    ['1893456000000', '', '2030-01-01T00:00:00.000Z'],
    ['2030-02-30T00:00:00', '', undefined],
    ['tomorrow', '', undefined],
  ];
  for (const [text, zone, expected] of times) {
    test(`${text} in ${zone || 'UTC'}`, () => {
      const time = policyTime(text, zone);
      assert.equal(time === undefined ? undefined : new Date(time).toISOString(), expected);
    });
  }
  for (const wrong of [
    '',
    'cron()',
    'cron(0 0 8 * *)',
    'cron(* 0 8 * * *)',
    'cron(@every 1m)',
    'at(8:00)',
    'rate(1m)',
  ]) {
    test(`${JSON.stringify(wrong)} is not a schedule`, () => assert.equal(parseSchedule(wrong, '').kind, 'invalid'));
  }
});

describe('target tracking', () => {
  const table: [number, number, number][] = [
    // current, metric, expected (target 0.5, 1..20)
    [2, 1, 4],
    [3, 0.6, 4],
    [10, 0.5, 10],
    [10, 0.25, 8], // half of the surplus share
    [10, 0, 5],
    [1, 0, 1],
    [15, 1, 20],
  ];
  for (const [current, metric, expected] of table) {
    test(`${current} instances at ${metric} become ${expected}`, () => {
      assert.equal(trackedTarget(tracking('t', 1, 20), current, metric), expected);
    });
  }
});

describe('shares of an alias', () => {
  test('the sum is the target and every share is within one of its proportion', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.array(fc.nat(100), { minLength: 1, maxLength: 3 }), (target, weights) => {
        const shares = sharesOf(
          target,
          weights.map((weight, index) => ({ versionId: String(index), weight })),
        );
        const sum = weights.reduce((total, weight) => total + weight, 0);
        assert.equal(
          shares.reduce((total, { count }) => total + count, 0),
          target,
        );
        if (sum === 0) return;
        shares.forEach(({ count }, index) => {
          assert.ok(Math.abs(count - (target * (weights[index] ?? 0)) / sum) < 1);
        });
      }),
    );
  });
  test('ten over 0.8 and 0.2', () => {
    const shares = sharesOf(10, [
      { versionId: '1', weight: 0.8 },
      { versionId: '2', weight: 0.2 },
    ]);
    assert.deepEqual(shares, [
      { versionId: '1', count: 8 },
      { versionId: '2', count: 2 },
    ]);
  });
});
