import { Cron } from 'croner';
import { LRUCache } from 'lru-cache';
import type { TimerSchedule } from '../../core/domain/cron.ts';

/** Compiled expressions: many triggers share few of them. */
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
  // Whole seconds: the parts of one that have passed do not make its own fire time a later one.
  const from = new Date(Math.floor(after / 1000) * 1000);
  return compile(schedule.pattern, schedule.timeZone).nextRun(from)?.getTime();
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
