import { Cron } from 'croner';
import { LRUCache } from 'lru-cache';
import type { TimerSchedule } from '../../core/domain/cron.ts';
import { PlainCron } from './plain-cron.ts';
import { steadyOffset } from './zone-offsets.ts';

/** The newest answer: `next` is the first fire after any time from `from` on, up to itself. */
interface Answer {
  from: number;
  next: number | undefined;
}

interface Compiled {
  readonly plain: PlainCron;
  readonly newest: Answer;
}

/** What many triggers share. */
const plain = new LRUCache<string, Compiled>({ max: 20_000 });
/** For the days around a change of clocks. */
const compiled = new LRUCache<string, Cron>({ max: 10_000 });

function compile(pattern: string, timeZone: string): Cron {
  const key = `${timeZone} ${pattern}`;
  let cron = compiled.get(key);
  if (cron === undefined) {
    // A fixed offset spares croner the formatter of time zones, which costs ten times the rest.
    const zone = timeZone === 'UTC' ? { utcOffset: 0 } : { timezone: timeZone };
    cron = new Cron(pattern, { ...zone, mode: '6-or-7-parts', paused: true });
    compiled.set(key, cron);
  }
  return cron;
}

/**
 * The first time after `after` (exclusive) at which the schedule fires; undefined when it never does again. `@every` counts
 * from `anchor`, so it fires at the same times whoever asks and whenever. Wall-clock milliseconds.
 */
export function nextFire(schedule: TimerSchedule, anchor: number, after: number): number | undefined {
  if (schedule.kind === 'every') {
    const rounds = Math.floor((after - anchor) / schedule.intervalMs) + 1;
    return anchor + Math.max(1, rounds) * schedule.intervalMs;
  }
  const { pattern, timeZone } = schedule;
  const key = timeZone === 'UTC' ? pattern : `${pattern} ${timeZone}`;
  let shared = plain.get(key);
  if (shared === undefined) {
    shared = { plain: new PlainCron(pattern), newest: { from: Number.POSITIVE_INFINITY, next: undefined } };
    plain.set(key, shared);
  }
  const { newest } = shared;
  if (after >= newest.from && (newest.next === undefined || after < newest.next)) return newest.next;
  newest.next = nextOnClock(shared.plain, schedule, after);
  newest.from = after;
  return newest.next;
}

function nextOnClock(cron: PlainCron, schedule: { pattern: string; timeZone: string }, after: number) {
  const { pattern, timeZone } = schedule;
  if (timeZone === 'UTC') return cron.next(after);
  const offset = steadyOffset(timeZone, after);
  const shown = offset === undefined ? undefined : cron.next(after + offset);
  if (offset !== undefined && shown !== undefined) {
    // Clocks may have been changed in between; where the fire falls they are steady again, or croner decides.
    const there = steadyOffset(timeZone, shown - offset);
    if (there !== undefined) return shown - there;
  }
  // Whole seconds: the parts of one that have passed do not make its own fire time a later one.
  const from = new Date(Math.floor(after / 1000) * 1000);
  return compile(pattern, timeZone).nextRun(from)?.getTime();
}

/** The latest time in (`after`, `until`] at which the schedule fired; undefined when there was none. */
export function latestFire(schedule: TimerSchedule, anchor: number, after: number, until: number): number | undefined {
  const latest =
    schedule.kind === 'every' ? latestRound(schedule.intervalMs, anchor, until) : latestRun(schedule, until);
  return latest !== undefined && latest > after ? latest : undefined;
}

function latestRound(intervalMs: number, anchor: number, until: number): number | undefined {
  const rounds = Math.floor((until - anchor) / intervalMs);
  return rounds < 1 ? undefined : anchor + rounds * intervalMs;
}

function latestRun(schedule: { pattern: string; timeZone: string }, until: number): number | undefined {
  // Croner looks strictly before its reference: the next whole second lets `until` itself count.
  const reference = new Date(Math.floor(until / 1000) * 1000 + 1000);
  return compile(schedule.pattern, schedule.timeZone).previousRuns(1, reference)[0]?.getTime();
}
