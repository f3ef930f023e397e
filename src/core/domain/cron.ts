/** A timer trigger's expression, understood (FC reference 6.1). */
export type TimerSchedule =
  /** `@every <duration>`: at fixed distances from the trigger's creation. */
  | { readonly kind: 'every'; readonly intervalMs: number }
  /**
   * Fields `second minute hour day month weekday [year]` in plain form: `*`, numbers, names, `a-b`, `a-b/n` and commas only;
   * weekday 1 = Monday ... 7 = Sunday.
   */
  | { readonly kind: 'cron'; readonly pattern: string; readonly timeZone: string };

interface FieldRule {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
  /** `?` may stand for `*`. */
  readonly question?: boolean;
  /** One number only. */
  readonly single?: boolean;
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const LONGEST_MONTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const WEEKDAYS = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'];

const RULES: readonly FieldRule[] = [
  { name: 'second', min: 0, max: 59, single: true },
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31, question: true },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 1, max: 7, names: WEEKDAYS, question: true },
  { name: 'year', min: 1970, max: 2099 },
];

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** `@every` must not be shorter than this, milliseconds. */
const MIN_INTERVAL_MS = 60_000;
const MAX_INTERVAL_MS = 10 * 366 * 86_400_000;

class Problem extends Error {}

/** What is wrong with a timer trigger's expression, as the end of a sentence that names it; undefined when nothing is. */
export function validateCron(expression: string): string | undefined {
  const parsed = parseCron(expression);
  return parsed.kind === 'invalid' ? parsed.problem : undefined;
}

/**
 * Reads `[CRON_TZ=<zone> ]<6 or 7 fields>` (some tools write `TZ=`) or `@every <Go duration>`. Zones are IANA names; without one, times are UTC.
 * Weekday 0 is taken for Sunday, as some tools write it.
 */
export function parseCron(expression: string): TimerSchedule | { readonly kind: 'invalid'; readonly problem: string } {
  try {
    return expression.startsWith('@') ? parseEvery(expression) : parseFields(expression);
  } catch (error) {
    if (error instanceof Problem) return { kind: 'invalid', problem: error.message };
    throw error;
  }
}

function parseEvery(expression: string): TimerSchedule {
  const duration = /^@every\s+(\S+)\s*$/.exec(expression)?.[1];
  if (duration === undefined) throw new Problem("'@' must be followed by 'every' and a duration, as in '@every 5m'");
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(duration)) {
    throw new Problem(`'${duration}' is not a duration such as 5m, 90s or 1h30m`);
  }
  let intervalMs = 0;
  for (const [, amount, unit = ''] of duration.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) {
    intervalMs += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  intervalMs = Math.round(intervalMs);
  if (intervalMs < MIN_INTERVAL_MS) throw new Problem('an interval must be at least 1 minute');
  if (intervalMs > MAX_INTERVAL_MS) throw new Problem('an interval must be at most ten years');
  return { kind: 'every', intervalMs };
}

function parseFields(expression: string): TimerSchedule {
  const parts = expression.trim().split(/\s+/);
  let timeZone = 'UTC';
  const [first = ''] = parts;
  const prefix = /^(?:CRON_)?TZ=(.*)$/.exec(first);
  if (prefix !== null) {
    timeZone = checkZone(prefix[1] ?? '');
    parts.shift();
  }
  if (parts.length !== 6 && parts.length !== 7) {
    throw new Problem(
      `a cron expression has 6 fields (second minute hour day month weekday) or 7 with the year, not ${parts.length}`,
    );
  }
  const fields = parts.map((part, index) => {
    const rule = RULES[index];
    return rule === undefined ? part : plainField(part.toUpperCase(), rule);
  });
  if (namesNoDate(fields)) throw new Problem('it names a day that none of its months has');
  return { kind: 'cron', pattern: fields.join(' '), timeZone };
}

/** True for schedules like February 30th; expects plain fields. */
function namesNoDate(fields: readonly string[]): boolean {
  const [, , , days = '*', months = '*', weekdays = '*'] = fields;
  if (days === '*' || weekdays !== '*') return false;
  const firstDay = Math.min(...numbersOf(days, 31));
  return numbersOf(months, 12).every((month) => firstDay > (LONGEST_MONTHS[month - 1] ?? 31));
}

/** The numbers of a plain field that counts from 1. */
function numbersOf(field: string, max: number): number[] {
  return field.split(',').flatMap((part) => {
    const [range = '', step = '1'] = part.split('/');
    const [from = '', to = from] = range === '*' ? ['1', String(max)] : range.split('-');
    const numbers: number[] = [];
    for (let number = Number(from); number <= Number(to); number += Number(step)) numbers.push(number);
    return numbers;
  });
}

function checkZone(zone: string): string {
  try {
    // Offsets such as +08:00 are not IANA names, though the formatter takes them.
    const known = Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone;
    if (known !== '' && /^[A-Za-z]/.test(zone)) return zone;
  } catch {
    // Not a zone this machine knows: said below.
  }
  throw new Problem(`'${zone}' is not a time zone; use an IANA name such as Asia/Shanghai`);
}

function plainField(text: string, rule: FieldRule): string {
  if (rule.single === true) {
    if (!/^\d{1,2}$/.test(text)) throw new Problem(`the ${rule.name} must be one number from 0 to 59, not '${text}'`);
    return String(checkNumber(text, rule));
  }
  if (text === '*' || (text === '?' && rule.question === true)) return '*';
  return text
    .split(',')
    .map((part) => plainPart(part, rule))
    .join(',');
}

function plainPart(part: string, rule: FieldRule): string {
  const match = /^(\*|\?|[A-Z0-9]+)(?:-([A-Z0-9]+))?(?:\/(\d+))?$/.exec(part);
  if (match === null)
    throw new Problem(`'${part}' in the ${rule.name} is none of: a value, a-b, a/n, */n, *, a list of these`);
  const [, start = '', end, step] = match;
  const star = start === '*' || (start === '?' && rule.question === true);
  if (star && end !== undefined) throw new Problem(`'${part}' in the ${rule.name} is not a range`);
  const from = star ? rule.min : checkNumber(start, rule);
  const to = lastOf(from, star, end, step, rule);
  if (to < from) throw new Problem(`'${part}' in the ${rule.name} runs backwards`);
  if (step === undefined) return from === to ? String(from) : `${from}-${to}`;
  const by = Number(step);
  if (by < 1 || by > rule.max)
    throw new Problem(`the step of '${part}' in the ${rule.name} must be from 1 to ${rule.max}`);
  return `${from}-${to}/${by}`;
}

function lastOf(
  from: number,
  star: boolean,
  end: string | undefined,
  step: string | undefined,
  rule: FieldRule,
): number {
  if (end !== undefined) return checkNumber(end, rule);
  return star || step !== undefined ? rule.max : from;
}

function checkNumber(text: string, rule: FieldRule): number {
  const named = rule.names?.indexOf(text) ?? -1;
  if (named >= 0) return rule.min + named;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  const sunday = rule.names === WEEKDAYS && value === 0;
  if (!sunday && !(value >= rule.min && value <= rule.max)) {
    const names = rule.names === undefined ? '' : ` or ${rule.names.join(', ')}`;
    throw new Problem(`'${text}' in the ${rule.name} is not a number from ${rule.min} to ${rule.max}${names}`);
  }
  return value;
}
