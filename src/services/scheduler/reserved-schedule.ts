import { Cron } from 'croner';
import { LRUCache } from 'lru-cache';
import type { Firing } from '../../core/domain/reserved-target.ts';

/** Compiled patterns: few schedules, asked often. */
const compiled = new LRUCache<string, Cron>({ max: 1_000 });

function compile(pattern: string, timeZone: string): Cron {
  const key = `${timeZone} ${pattern}`;
  let cron = compiled.get(key);
  if (cron === undefined) {
    const zone = timeZone === 'UTC' ? { utcOffset: 0 } : { timezone: timeZone };
    cron = new Cron(pattern, { ...zone, mode: '6-or-7-parts', paused: true });
    compiled.set(key, cron);
  }
  return cron;
}

/** When the schedules of reserved instances fire. Whole seconds. */
export const scheduleFiring: Firing = {
  latest(schedule, until) {
    if (schedule.kind === 'at') return schedule.time <= until ? schedule.time : undefined;
    // Croner looks strictly before its reference: the next whole second lets `until` itself count.
    const reference = new Date(Math.floor(until / 1000) * 1000 + 1000);
    return compile(schedule.pattern, schedule.timeZone).previousRuns(1, reference)[0]?.getTime();
  },
  next(schedule, after) {
    if (schedule.kind === 'at') return schedule.time > after ? schedule.time : undefined;
    const from = new Date(Math.floor(after / 1000) * 1000);
    return compile(schedule.pattern, schedule.timeZone).nextRun(from)?.getTime();
  },
};
