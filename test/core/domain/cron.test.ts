import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCron, validateCron } from '../../../src/core/domain/cron.ts';

describe('timer expressions', () => {
  for (const [expression, pattern, timeZone = 'UTC'] of [
    ['0 0 4 * * *', '0 0 4 * * *'],
    ['0 0/5 * * * *', '0 0-59/5 * * * *'],
    ['30 */15 0-6/2 ? jan-MAR,12 ?', '30 0-59/15 0-6/2 * 1-3,12 *'],
    ['0 0 0 1,15 * MON-FRI', '0 0 0 1,15 * 1-5'],
    ['0 0 0 * * */2', '0 0 0 * * 1-7/2'],
    ['0 0 0 * * SUN', '0 0 0 * * 7'],
    ['0 0 0 1 1 ? 2030-2040/5', '0 0 0 1 1 * 2030-2040/5'],
    ['  5  4 3 2   1 *  ', '5 4 3 2 1 *'],
    ['CRON_TZ=Asia/Shanghai 0 0 4 1 * *', '0 0 4 1 * *', 'Asia/Shanghai'],
    ['TZ=Europe/Berlin 0 0 4 1 * *', '0 0 4 1 * *', 'Europe/Berlin'],
    ['0 0 0 29 2 ?', '0 0 0 29 2 *'],
    ['0 0 0 30 2 MON', '0 0 0 30 2 1'],
    ['0 0 0 30,31 2-4 ?', '0 0 0 30,31 2-4 *'],
  ] as const) {
    it(`reads '${expression}'`, () => {
      assert.deepEqual(parseCron(expression), { kind: 'cron', pattern, timeZone });
      assert.equal(validateCron(expression), undefined);
    });
  }

  for (const [expression, intervalMs] of [
    ['@every 1m', 60_000],
    ['@every 90s', 90_000],
    ['@every 1h30m', 5_400_000],
    ['@every 1.5h', 5_400_000],
    ['@every 61000ms', 61_000],
  ] as const) {
    it(`reads '${expression}'`, () => assert.deepEqual(parseCron(expression), { kind: 'every', intervalMs }));
  }

  for (const [expression, problem] of [
    ['', /6 fields .* not 1/],
    ['* * * * *', /6 fields .* not 5/],
    ['0 0 0 1 1 ? 2030 x', /not 8/],
    ['60 0 0 * * *', /'60' in the second is not a number from 0 to 59/],
    ['* 0 0 * * *', /second must be one number from 0 to 59, not '\*'/],
    ['*/5 0 0 * * *', /second must be one number/],
    ['0 60 0 * * *', /'60' in the minute/],
    ['0 0 24 * * *', /'24' in the hour/],
    ['0 0 0 0 * *', /'0' in the day of month/],
    ['0 0 0 32 * *', /'32' in the day of month/],
    ['0 0 0 * 13 *', /'13' in the month .* or JAN/],
    ['0 0 0 * MON *', /'MON' in the month/],
    ['0 0 0 * * 8', /'8' in the day of week/],
    ['0 0 0 L * *', /'L' in the day of month/],
    ['0 0 0 15W * *', /'15W' in the day of month/],
    ['0 0 0 * * 2#1', /'2#1' in the day of week is none of/],
    ['0 0 0 30 2 ?', /a day that none of its months has/],
    ['0 0 0 31 4,6,9-11/2 *', /a day that none of its months has/],
    ['0 ? 0 * * *', /'\?' in the minute/],
    ['0 0 0 * * 6-2', /runs backwards/],
    ['0 5-1 0 * * *', /runs backwards/],
    ['0 0/0 0 * * *', /step of '0\/0'/],
    ['0 1,,2 0 * * *', /'' in the minute/],
    ['0 *-5 0 * * *', /not a range/],
    ['0 -1 0 * * *', /'-1' in the minute/],
    ['CRON_TZ=Mars/Base 0 0 4 * * *', /'Mars\/Base' is not a time zone/],
    ['CRON_TZ=+08:00 0 0 4 * * *', /not a time zone/],
    ['CRON_TZ= 0 0 4 * * *', /not a time zone/],
    ['@every 30s', /at least 1 minute/],
    ['@every 5', /'5' is not a duration/],
    ['@every -5m', /not a duration/],
    ['@every', /must be followed by 'every'/],
    ['@daily', /must be followed by 'every'/],
  ] as const) {
    it(`refuses '${expression}'`, () => assert.match(validateCron(expression) ?? 'accepted', problem));
  }

  it('whatever is accepted is in plain form and means the same when read again', () => {
    const part = fc.oneof(
      fc.constantFrom(
        '*',
        '?',
        '0',
        '1',
        '5',
        '7',
        '12',
        '31',
        '1-5',
        '0/5',
        '*/2',
        '2-8/3',
        'MON',
        'JAN-MAR',
        'L',
        '99',
      ),
      fc.string({ maxLength: 4 }),
    );
    const expressions = fc.array(part, { minLength: 5, maxLength: 8 }).map((parts) => parts.join(' '));
    fc.assert(
      fc.property(expressions, (expression) => {
        const parsed = parseCron(expression);
        if (parsed.kind !== 'cron') return;
        assert.match(parsed.pattern, /^[\d*,/ -]+$/);
        assert.deepEqual(parseCron(parsed.pattern), parsed);
      }),
      { numRuns: 2000 },
    );
  });
});
