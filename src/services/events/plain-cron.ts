const DAY_SECONDS = 86_400;
const MONTHS_LENGTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/** The longest time without a fire of a pattern that has any: eight years around 2100, which has no February 29th. */
const YEARS_AHEAD = 9;

interface CivilDay {
  year: number;
  /** From 0. */
  month: number;
  /** From 1. */
  day: number;
}

/**
 * The fire times of a plain pattern (see TimerSchedule) on a clock without changes, found by stepping through days, hours and
 * minutes that match: about a hundred nanoseconds instead of microseconds. If both days of month and days of week are
 * restricted, either may match, as in every cron.
 */
export class PlainCron {
  private readonly second: number;
  private readonly minutes: Int8Array;
  private readonly hours: Int8Array;
  private readonly days: Int8Array;
  private readonly months: Int8Array;
  private readonly weekdays: Int8Array;
  private readonly years: ReadonlySet<number> | undefined;
  private readonly anyDay: boolean;
  private readonly anyWeekday: boolean;

  constructor(pattern: string) {
    const [second = '0', minutes = '*', hours = '*', days = '*', months = '*', weekdays = '*', years = '*'] =
      pattern.split(' ');
    this.second = Number(second);
    this.minutes = followers(minutes, 0, 59);
    this.hours = followers(hours, 0, 23);
    this.days = followers(days, 1, 31);
    this.months = followers(months, 1, 12);
    this.weekdays = followers(weekdays, 1, 7);
    this.anyDay = days === '*';
    this.anyWeekday = weekdays === '*';
    this.years = years === '*' ? undefined : new Set(numbersOf(years, 1970, 2099));
  }

  /** The first time after `after` (exclusive; milliseconds) that matches; undefined when there is none. */
  next(after: number): number | undefined {
    const minute = Math.floor((Math.floor(after / 1000) - this.second) / 60) + 1;
    let dayNumber = Math.floor(minute / 1440);
    let time = this.timeFrom(minute - dayNumber * 1440);
    const date = civilDay(dayNumber);
    const lastYear = this.years === undefined ? date.year + YEARS_AHEAD : Math.max(...this.years);
    if (time < 0) {
      dayNumber++;
      nextDay(date);
    }
    while (date.year <= lastYear) {
      if (this.years !== undefined && !this.years.has(date.year)) {
        dayNumber += skipToMonth(date, 12);
      } else if (this.months[date.month + 1] !== date.month + 1) {
        const month = this.months[date.month + 1] ?? -1;
        dayNumber += skipToMonth(date, month < 0 ? 12 : month - 1);
      } else if (this.isDay(date.day, dayNumber)) {
        if (time < 0) time = this.timeFrom(0);
        return (dayNumber * DAY_SECONDS + time * 60 + this.second) * 1000;
      } else {
        dayNumber++;
        nextDay(date);
      }
      time = -1;
    }
    return undefined;
  }

  /** The first matching minute of the day from this one on; -1: none. */
  private timeFrom(minuteOfDay: number): number {
    const from = Math.floor(minuteOfDay / 60);
    const hour = this.hours[from] ?? -1;
    if (hour < 0) return -1;
    const minute = hour === from ? (this.minutes[minuteOfDay - 60 * from] ?? -1) : (this.minutes[0] ?? -1);
    if (minute >= 0) return 60 * hour + minute;
    const later = this.hours[hour + 1] ?? -1;
    return later < 0 ? -1 : 60 * later + (this.minutes[0] ?? 0);
  }

  private isDay(day: number, dayNumber: number): boolean {
    // 1970-01-01 was a Thursday; Monday is 1.
    const weekday = ((((dayNumber + 3) % 7) + 7) % 7) + 1;
    const matchesDay = this.days[day] === day;
    const matchesWeekday = this.weekdays[weekday] === weekday;
    if (this.anyDay || this.anyWeekday) return matchesDay && matchesWeekday;
    return matchesDay || matchesWeekday;
  }
}

/** For each number up to `max` the first number of the field that is not below it; -1: none. */
function followers(field: string, min: number, max: number): Int8Array {
  const table = new Int8Array(max + 2).fill(-1);
  // Only weekdays may name a number below their first one: 0 is Sunday too.
  for (const named of numbersOf(field, min, max)) {
    const number = named < min ? max : named;
    table[number] = number;
  }
  for (let number = max; number >= 0; number--) {
    if (table[number] === -1) table[number] = table[number + 1] ?? -1;
  }
  return table;
}

function numbersOf(field: string, min: number, max: number): number[] {
  return field.split(',').flatMap((part) => {
    const [range = '', step = '1'] = part.split('/');
    const [from = '', to = from] = range === '*' ? [String(min), String(max)] : range.split('-');
    const numbers: number[] = [];
    for (let number = Number(from); number <= Number(to); number += Number(step)) numbers.push(number);
    return numbers;
  });
}

function lengthOf(month: number, year: number): number {
  const leap = month === 1 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return (MONTHS_LENGTH[month] ?? 31) + (leap ? 1 : 0);
}

function nextDay(date: CivilDay): void {
  date.day++;
  if (date.day <= lengthOf(date.month, date.year)) return;
  date.day = 1;
  date.month = (date.month + 1) % 12;
  if (date.month === 0) date.year++;
}

/** Moves to the first day of a later month of the year (12: of the next January); answers the days in between. */
function skipToMonth(date: CivilDay, month: number): number {
  let days = 1 - date.day;
  while (date.month < month) days += lengthOf(date.month++, date.year);
  date.day = 1;
  if (date.month === 12) {
    date.month = 0;
    date.year++;
  }
  return days;
}

/** Days since 1970-01-01 as a date. */
function civilDay(dayNumber: number): CivilDay {
  const date = new Date(dayNumber * DAY_SECONDS * 1000);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth(), day: date.getUTCDate() };
}
