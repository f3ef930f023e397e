import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cron } from 'croner';
import fc from 'fast-check';
import { parseCron } from '../../../src/core/domain/cron.ts';
import { nextFire } from '../../../src/services/events/fire-times.ts';

const field = (min: number, max: number) => {
  const number = fc.integer({ min, max });
  const range = fc.tuple(number, number).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
  const step = fc.integer({ min: 1, max: Math.max(1, max) });
  const stepped = fc.tuple(fc.oneof(fc.constant('*'), number.map(String), range), step).map((p) => p.join('/'));
  const one = fc.oneof(number.map(String), range, stepped);
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    { weight: 3, arbitrary: one },
    { weight: 1, arbitrary: fc.array(one, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(',')) },
  );
};

const fields = fc
  .tuple(
    fc.integer({ min: 0, max: 59 }).map(String),
    field(0, 59),
    field(0, 23),
    field(1, 31),
    field(1, 12),
    field(0, 7),
    fc.option(field(2020, 2040), { nil: undefined }),
  )
  .map((parts) => parts.filter((part) => part !== undefined).join(' '));

const ZONES = ['UTC', 'Asia/Shanghai', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata'];

/** What croner says, asked without any memory. */
function byCroner(pattern: string, timeZone: string, after: number): number | undefined {
  const zone = timeZone === 'UTC' ? { utcOffset: 0 } : { timezone: timeZone };
  const cron = new Cron(pattern, { ...zone, mode: '6-or-7-parts', paused: true });
  return cron.nextRun(new Date(Math.floor(after / 1000) * 1000))?.getTime();
}

function agrees(expression: string, zone: string, after: number, steps: number): void {
  const parsed = parseCron(zone === 'UTC' ? expression : `CRON_TZ=${zone} ${expression}`);
  if (parsed.kind !== 'cron') return;
  let at: number | undefined = after;
  for (let step = 0; step < steps && at !== undefined; step++) {
    const expected = byCroner(parsed.pattern, parsed.timeZone, at);
    // Croner looks further ahead than the years that an expression may name.
    if (expected !== undefined && expected > Date.UTC(2099, 11, 31)) return;
    assert.equal(nextFire(parsed, 0, at), expected, `${expression} ${zone} after ${new Date(at).toISOString()}`);
    at = expected;
  }
}

const times = fc.integer({ min: Date.UTC(2019, 0, 1), max: Date.UTC(2036, 0, 1) });

describe('fire times by arithmetic', () => {
  it('are those of croner, step after step', () => {
    fc.assert(
      fc.property(fields, times, (expression, after) => agrees(expression, 'UTC', after, 5)),
      { numRuns: 1500 },
    );
  });

  it('are those of croner in zones with and without changes of clocks', () => {
    fc.assert(
      fc.property(fields, fc.constantFrom(...ZONES), times, (expression, zone, after) =>
        agrees(expression, zone, after, 3),
      ),
      { numRuns: 400 },
    );
  });

  it('are those of croner around the nights in which clocks are changed, both ways', () => {
    const nights = ['2024-03-10', '2024-03-31', '2024-10-27', '2024-11-03', '2024-04-07', '2024-10-06'];
    fc.assert(
      fc.property(
        fc.tuple(field(0, 59), field(0, 4)).map(([minute, hour]) => `0 ${minute} ${hour} * * *`),
        fc.constantFrom(...ZONES),
        fc.constantFrom(...nights),
        fc.integer({ min: -50 * 3600, max: 50 * 3600 }),
        (expression, zone, night, offset) => agrees(expression, zone, Date.parse(night) + offset * 1000, 4),
      ),
      { numRuns: 600 },
    );
  });
});
