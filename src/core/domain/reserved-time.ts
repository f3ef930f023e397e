import { parseCron } from './cron.ts';

/** When a scheduled target fires (FC reference 7). */
export type TargetSchedule =
  | { readonly kind: 'at'; readonly time: number }
  /** Fields as croner takes them; see cron.ts. */
  | { readonly kind: 'cron'; readonly pattern: string; readonly timeZone: string };

const TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,3}))?(Z)?$/;

/**
 * Reads a policy's time: `yyyy-mm-ddThh:mm:ss`, with optional fraction. With `Z`, or without a time zone, it is UTC; else it is
 * local time of the zone. Digits alone are milliseconds since the epoch. Undefined: it is none of these.
 */
export function policyTime(text: string, timeZone: string): number | undefined {
  if (/^\d{10,15}$/.test(text)) return Number(text);
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '0', utc] = match;
  const date = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  if (new Date(date).toISOString().slice(0, 19) !== text.slice(0, 19)) return undefined; // e.g. February 30th
  const local = date + Number(fraction.padEnd(3, '0'));
  return utc !== undefined || timeZone === '' ? local : fromLocal(local, timeZone);
}

/** The instant at which clocks in the zone show `local` (given as if it were UTC). Skipped times count as if no clock had changed. */
function fromLocal(local: number, timeZone: string): number {
  const guess = local - offsetOf(local, timeZone);
  return local - offsetOf(guess, timeZone);
}

/** Milliseconds that the zone is ahead of UTC. */
function offsetOf(at: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(at)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

/** Whether this machine knows the zone by an IANA name. */
export function isTimeZone(zone: string): boolean {
  return validZone(zone) === undefined;
}

function validZone(zone: string): string | undefined {
  const parsed = parseCron(`CRON_TZ=${zone} 0 0 0 * * *`);
  return parsed.kind === 'invalid' ? parsed.problem : undefined;
}

/** Reads a schedule expression. `invalid` says what is wrong, as the end of a sentence that names the field. */
export function parseSchedule(
  expression: string,
  timeZone: string,
): TargetSchedule | { readonly kind: 'invalid'; readonly problem: string } {
  const match = /^\s*(cron|at)\((.*)\)\s*$/.exec(expression);
  if (match === null) return invalid('must be cron(second minute hour day month weekday) or at(yyyy-mm-ddThh:mm:ss)');
  const [, form, inner = ''] = match;
  if (form === 'at') {
    const time = policyTime(inner.trim(), timeZone);
    return time === undefined ? invalid('must name a time as in at(2030-01-31T08:00:00)') : { kind: 'at', time };
  }
  const fields = inner.trim().split(/\s+/);
  if (fields.length !== 6)
    return invalid(`must have the 6 fields second minute hour day month weekday, not ${fields.length}`);
  const parsed = parseCron(`CRON_TZ=${timeZone === '' ? 'UTC' : timeZone} ${fields.join(' ')}`);
  if (parsed.kind === 'cron') return { kind: 'cron', pattern: parsed.pattern, timeZone: parsed.timeZone };
  return invalid(`is not a schedule: ${parsed.kind === 'invalid' ? parsed.problem : 'it is an interval'}`);
}

function invalid(problem: string): { kind: 'invalid'; problem: string } {
  return { kind: 'invalid', problem };
}
