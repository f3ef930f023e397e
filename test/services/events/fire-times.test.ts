import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCron, type TimerSchedule } from '../../../src/core/domain/cron.ts';
import { latestFire, nextFire } from '../../../src/services/events/fire-times.ts';

function schedule(expression: string): TimerSchedule {
  const parsed = parseCron(expression);
  assert.ok(parsed.kind !== 'invalid', expression);
  return parsed;
}

/** The next `count` fires after a time, in ISO form. */
function fires(expression: string, after: string, count = 3): string[] {
  const found: string[] = [];
  let at: number | undefined = Date.parse(after);
  while (found.length < count) {
    at = nextFire(schedule(expression), 0, at);
    if (at === undefined) break;
    found.push(new Date(at).toISOString().replace('.000Z', 'Z'));
  }
  return found;
}

describe('fire times', () => {
  for (const [expression, after, expected] of [
    ['0 0 4 * * *', '2024-01-01T04:00:00Z', ['2024-01-02T04:00:00Z', '2024-01-03T04:00:00Z']],
    ['0 0 4 * * *', '2024-01-01T03:59:59.500Z', ['2024-01-01T04:00:00Z']],
    ['0 0 4 * * *', '2024-01-01T04:00:00.001Z', ['2024-01-02T04:00:00Z']],
    ['15 0/20 * * * *', '2024-01-01T04:00:00Z', ['2024-01-01T04:00:15Z', '2024-01-01T04:20:15Z']],
    // 1 = Monday (2024-01-01 was one), 7 = Sunday, 0 = Sunday as well
    ['0 0 4 * * 1', '2024-01-01T05:00:00Z', ['2024-01-08T04:00:00Z']],
    ['0 0 4 * * 7', '2024-01-01T05:00:00Z', ['2024-01-07T04:00:00Z']],
    ['0 0 4 * * 0', '2024-01-01T05:00:00Z', ['2024-01-07T04:00:00Z']],
    ['0 0 4 ? * TUE', '2024-01-01T05:00:00Z', ['2024-01-02T04:00:00Z', '2024-01-09T04:00:00Z']],
    ['0 0 4 * * SAT-SUN', '2024-01-01T05:00:00Z', ['2024-01-06T04:00:00Z', '2024-01-07T04:00:00Z']],
    ['0 0 4 * * */2', '2024-01-01T05:00:00Z', ['2024-01-03T04:00:00Z', '2024-01-05T04:00:00Z', '2024-01-07T04:00:00Z']],
    ['0 0 4 1 JAN,JUL ?', '2024-01-01T05:00:00Z', ['2024-07-01T04:00:00Z', '2025-01-01T04:00:00Z']],
    ['0 0 0 29 2 *', '2024-03-01T00:00:00Z', ['2028-02-29T00:00:00Z']],
    ['0 0 0 1 1 ? 2030', '2024-03-01T00:00:00Z', ['2030-01-01T00:00:00Z']],
    ['CRON_TZ=Asia/Shanghai 0 0 4 * * *', '2024-01-01T00:00:00Z', ['2024-01-01T20:00:00Z']],
    // the hour that is left out in spring, and the one that comes twice in autumn
    ['CRON_TZ=Europe/Berlin 0 30 2 * * *', '2024-03-30T12:00:00Z', ['2024-03-31T01:00:00Z', '2024-04-01T00:30:00Z']],
    ['CRON_TZ=Europe/Berlin 0 30 2 * * *', '2024-10-26T12:00:00Z', ['2024-10-27T00:30:00Z', '2024-10-28T01:30:00Z']],
  ] as const) {
    it(`${expression} after ${after}`, () => {
      assert.deepEqual(fires(expression, after, expected.length), expected);
    });
  }

  it('an expression without any more fires has none', () => {
    assert.deepEqual(fires('0 0 0 1 1 ? 2020', '2024-01-01T00:00:00Z'), []);
    assert.equal(latestFire(schedule('0 0 0 1 1 ? 2090'), 0, 0, 1e12), undefined);
  });

  it('@every keeps its distance from the anchor', () => {
    const every = schedule('@every 1m30s');
    assert.equal(nextFire(every, 1000, 0), 91_000);
    assert.equal(nextFire(every, 1000, 90_999), 91_000);
    assert.equal(nextFire(every, 1000, 91_000), 181_000);
    assert.equal(latestFire(every, 1000, 0, 90_999), undefined);
    assert.equal(latestFire(every, 1000, 0, 181_500), 181_000);
    assert.equal(latestFire(every, 1000, 181_000, 181_500), undefined);
  });

  it('the latest fire is the last one that stepping forward finds', () => {
    const expressions = [
      '0 * * * * *',
      '30 7/11 * * * *',
      '0 0 */6 * * *',
      '5 15 3 * * MON,THU',
      '@every 7m',
      'CRON_TZ=Europe/Berlin 0 */20 1-3 * * *',
      'CRON_TZ=America/New_York 0 30 * * * *',
    ];
    const start = Date.parse('2024-03-29T00:00:00Z');
    fc.assert(
      fc.property(
        fc.constantFrom(...expressions),
        fc.integer({ min: 0, max: 5 * 86_400_000 }),
        fc.integer({ min: 0, max: 2 * 3_600_000 }),
        (expression, offset, span) => {
          const parsed = schedule(expression);
          const [after, until] = [start + offset, start + offset + span];
          let expected: number | undefined;
          for (let at = nextFire(parsed, start, after); at !== undefined && at <= until; ) {
            expected = at;
            at = nextFire(parsed, start, at);
          }
          assert.equal(latestFire(parsed, start, after, until), expected);
        },
      ),
      { numRuns: 300 },
    );
  });
});
