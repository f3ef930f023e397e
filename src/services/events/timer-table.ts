import { LRUCache } from 'lru-cache';
import { parseCron, type TimerSchedule } from '../../core/domain/cron.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';
import { DueBuckets } from './due-buckets.ts';
import { latestFire, nextFire } from './fire-times.ts';

/** A fire that is older than this when it is noticed is not made up for, milliseconds. */
export const CATCH_UP_MS = 3_600_000;

interface Timer {
  readonly trigger: TriggerRecord;
  readonly expression: string;
  /** One object for all timers with this expression. */
  readonly schedule: TimerSchedule;
  /** Fires up to and including this time have been given out or passed over. */
  after: number;
  /** Its place in the buckets. */
  due: number | undefined;
  slot: number;
}

export interface DueFire {
  readonly trigger: TriggerRecord;
  /** When it should have fired, wall-clock milliseconds. */
  readonly at: number;
}

/**
 * Which timer fires next: a pure table over the enabled timer triggers. `take` gives out each fire once. What fell due
 * unnoticed (the platform was down, the machine slept) is made up for by the latest missed fire alone, if it is at most
 * `CATCH_UP_MS` old; earlier ones are passed over.
 */
export class TimerTable {
  private readonly onDue: ((trigger: TriggerRecord, at: number) => void) | undefined;
  /** By the name in the catalog, which changes come under. */
  private readonly timers = new Map<string, Timer>();
  private readonly order = new DueBuckets<Timer>();
  private readonly schedules = new LRUCache<string, ReturnType<typeof parseCron>>({ max: 20_000 });

  /** `onDue` hears of every fire as soon as its time is known. */
  constructor(onDue?: (trigger: TriggerRecord, at: number) => void) {
    this.onDue = onDue;
  }

  /**
   * Puts the trigger in as it is now, or takes it out if it is switched off. Fires up to `after` are taken as given out,
   * unless the table has a timer with the same schedule already: that goes on where it was.
   */
  set(trigger: TriggerRecord, after: number): void {
    const { config } = trigger;
    const key = keyOf(trigger);
    const known = this.timers.get(key);
    if (config.type !== 'timer' || !config.enable) {
      this.remove(key);
      return;
    }
    // Removed and made again under the same name, it is another timer.
    const same = known !== undefined && known.trigger.triggerId === trigger.triggerId;
    if (same && isSame(known.trigger, trigger)) return;
    this.remove(key);
    const { cronExpression: expression } = config;
    const schedule = this.parsed(expression);
    // Written by a release with other rules: it cannot fire, and its owner sees the problem when updating it.
    if (schedule.kind === 'invalid') return;
    const from = same && known.expression === expression ? known.after : after;
    const timer: Timer = { trigger, expression, schedule, after: from, due: undefined, slot: 0 };
    this.timers.set(key, timer);
    this.schedule(timer);
  }

  /** Takes out the timer that has this name in the catalog, if there is one. */
  remove(key: string): void {
    const timer = this.timers.get(key);
    if (timer === undefined) return;
    this.order.remove(timer);
    this.timers.delete(key);
  }

  /** When the next timer is due; undefined when none ever is. */
  nextDue(): number | undefined {
    return this.order.first();
  }

  /** Every fire that is due at `now`, one per timer. */
  take(now: number): DueFire[] {
    const fires: DueFire[] = [];
    for (let due = this.order.first(); due !== undefined && due <= now; due = this.order.first()) {
      for (const timer of this.order.takeFirst()) {
        const at = this.fireOf(timer, due, now);
        if (at !== undefined) fires.push({ trigger: timer.trigger, at });
        this.schedule(timer);
      }
    }
    return fires;
  }

  /** The one fire to give out for a timer that was due at `due`; moves it past `now`. */
  private fireOf(timer: Timer, due: number, now: number): number | undefined {
    const { schedule, trigger, after } = timer;
    // On time: the fire that was due is the latest one unless the next one has passed as well.
    const following = nextFire(schedule, trigger.createdTime, due);
    timer.after = now;
    if (due >= now - CATCH_UP_MS && (following === undefined || following > now)) return due;
    const since = Math.max(after, now - CATCH_UP_MS - 1);
    return latestFire(schedule, trigger.createdTime, since, now);
  }

  private parsed(expression: string): ReturnType<typeof parseCron> {
    let schedule = this.schedules.get(expression);
    if (schedule === undefined) {
      schedule = parseCron(expression);
      this.schedules.set(expression, schedule);
    }
    return schedule;
  }

  private schedule(timer: Timer): void {
    const due = nextFire(timer.schedule, timer.trigger.createdTime, timer.after);
    timer.due = due;
    if (due === undefined) return;
    this.order.add(timer, due);
    this.onDue?.(timer.trigger, due);
  }
}

/** The name of a trigger in the catalog (see Catalog.onTrigger). */
export function keyOf({ account, functionName, triggerName }: TriggerRecord): string {
  return `${account}/${functionName}/${triggerName}`;
}

/** Whether a trigger read again says what it said before. */
function isSame(a: TriggerRecord, b: TriggerRecord): boolean {
  return a.lastModifiedTime === b.lastModifiedTime && a.rawConfig === b.rawConfig && a.qualifier === b.qualifier;
}
