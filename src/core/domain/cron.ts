/**
 * Schedules of timer triggers (FC reference 6.1): `@every <duration>`, or six cron fields (seconds minutes hours day-of-month month
 * day-of-week) in UTC, with `CRON_TZ=<IANA zone>` in front for another zone.
 */
interface CronField {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
  /** Number of the first of `names`. */
  readonly namesFrom?: number;
  readonly question?: boolean;
  readonly single?: boolean;
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN'];
const LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const FIELDS: readonly CronField[] = [
  { name: 'seconds', min: 0, max: 59, single: true },
  { name: 'minutes', min: 0, max: 59 },
  { name: 'hours', min: 0, max: 23 },
  { name: 'day-of-month', min: 1, max: 31, question: true },
  { name: 'month', min: 1, max: 12, names: MONTHS, namesFrom: 1 },
  // 0 is Sunday too, as in schedules that come from elsewhere.
  { name: 'day-of-week', min: 0, max: 7, names: DAYS, namesFrom: 1, question: true },
];

const DURATION_UNITS: Readonly<Record<string, number>> = { h: 3_600, m: 60, s: 1 };

/** Seconds of `@every` durations such as `90s`, `5m`, `1h30m`; undefined when it is not one. */
export function parseEvery(text: string): number | undefined {
  if (!/^(?:\d{1,9}[hms])+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([hms])/g))
    seconds += Number(count) * (DURATION_UNITS[unit ?? ''] ?? 0);
  return seconds;
}

/** What is wrong with a schedule, or undefined when it is valid. */
export function validateCron(expression: string): string | undefined {
  const text = expression.trim();
  if (text.startsWith('@every')) return everyProblem(text);
  const zoned = /^(?:CRON_TZ|TZ)=(\S*)\s+(.*)$/.exec(text);
  if (zoned !== null && !isZone(zoned[1] ?? '')) return `the time zone '${zoned[1]}' is unknown`;
  const parts = (zoned?.[2] ?? text).split(/\s+/);
  if (parts.length !== FIELDS.length) {
    return `needs six fields (${FIELDS.map((field) => field.name).join(', ')}) or '@every 5m', has ${parts.length}`;
  }
  for (const [index, field] of FIELDS.entries()) {
    const problem = fieldProblem(field, parts[index] ?? '');
    if (problem !== undefined) return problem;
  }
  return neverFires(parts) ? 'names a day that none of its months has' : undefined;
}

function everyProblem(text: string): string | undefined {
  const seconds = parseEvery(text.slice('@every'.length).trim());
  if (seconds === undefined) return "'@every' needs a duration such as 5m or 1h30m";
  return seconds < 60 ? "'@every' needs at least one minute" : undefined;
}

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function fieldProblem(field: CronField, text: string): string | undefined {
  if (text === '?') return field.question === true ? undefined : `'?' is not allowed in ${field.name}`;
  if (field.single === true && !/^\d+$/.test(text)) return `${field.name} must be a single number`;
  for (const item of text.split(',')) {
    const problem = itemProblem(field, item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function itemProblem(field: CronField, item: string): string | undefined {
  const match = /^(\*|[A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?(?:\/(\d+))?$/.exec(item);
  const wrong = `'${item}' is not valid in ${field.name} (${field.min}-${field.max})`;
  if (match === null) return wrong;
  const [, start = '', end, step] = match;
  if (step !== undefined && (Number(step) < 1 || Number(step) > field.max)) return wrong;
  if (start === '*') return end === undefined ? undefined : wrong;
  const from = value(field, start);
  const to = end === undefined ? from : value(field, end);
  if (from === undefined || to === undefined || from > to) return wrong;
  return undefined;
}

/** The number of a field's value, undefined when it is out of range. */
function value(field: CronField, text: string): number | undefined {
  const named = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (named >= 0) return named + (field.namesFrom ?? 0);
  if (!/^\d{1,2}$/.test(text)) return undefined;
  const number = Number(text);
  return number >= field.min && number <= field.max ? number : undefined;
}

/** True for schedules like February 30th that have no date at all. */
function neverFires(parts: readonly string[]): boolean {
  const [, , , days = '', months = '', weekdays = ''] = parts;
  if (/[*?]/.test(days) || /[*?]/.test(months) || !/^[*?]$/.test(weekdays)) return false;
  const [dayField, monthField] = [FIELDS[3], FIELDS[4]];
  if (dayField === undefined || monthField === undefined) return false;
  const firstDay = Math.min(...days.split(',').map((item) => value(dayField, item.split(/[-/]/)[0] ?? '') ?? 1));
  const longest = Math.max(
    ...months.split(',').flatMap((item) => {
      const [range = ''] = item.split('/');
      const [from = '', to = from] = range.split('-');
      const first = value(monthField, from) ?? 1;
      const last = item.includes('/') && !range.includes('-') ? 12 : (value(monthField, to) ?? 12);
      return LONGEST.slice(first - 1, last);
    }),
  );
  return firstDay > longest;
}
