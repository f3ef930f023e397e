import { BinaryHeap } from '../../core/base/binary-heap.ts';
import { parseCron, type TimerSchedule } from '../../core/domain/cron.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';
import { latestFire, nextFire } from './fire-times.ts';

/** A fire that is older than this when it is noticed is not made up for, milliseconds. */
export const CATCH_UP_MS = 3_600_000;

interface Timer {
  readonly trigger: TriggerRecord;
  readonly expression: string;
  readonly schedule: TimerSchedule;
  /** Fires up to and including this time have been given out or passed over. */
  after: number;
  due: number | undefined;
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
  private readonly timers = new Map<string, Timer>();
  /** Entries of timers that changed since are passed over. */
  private readonly order = new BinaryHeap<{ readonly due: number; readonly timer: Timer }>((a, b) => a.due < b.due);

  /** `onDue` hears of every fire as soon as its time is known. */
  constructor(onDue?: (trigger: TriggerRecord, at: number) => void) {
    this.onDue = onDue;
  }

  /**
   * Puts the trigger in as it is now, or takes it out if it is switched off. Fires up to `after` are taken as given out,
   * unless the table has a timer with the same schedule already: that goes on where it was.
   */
  set(trigger: TriggerRecord, after: number): void {
    const { config, triggerId } = trigger;
    const known = this.timers.get(triggerId);
    if (config.type !== 'timer' || !config.enable) {
      this.remove(triggerId);
      return;
    }
    if (known !== undefined && isSame(known.trigger, trigger)) return;
    const schedule = known?.expression === config.cronExpression ? known.schedule : parseCron(config.cronExpression);
    if (schedule.kind === 'invalid') {
      // Written by a release with other rules: it cannot fire, and its owner sees the problem when updating it.
      this.remove(triggerId);
      return;
    }
    const from = known?.expression === config.cronExpression ? known.after : after;
    const timer: Timer = { trigger, expression: config.cronExpression, schedule, after: from, due: undefined };
    this.timers.set(triggerId, timer);
    this.schedule(timer);
  }

  remove(triggerId: string): void {
    const timer = this.timers.get(triggerId);
    if (timer !== undefined) timer.due = undefined;
    this.timers.delete(triggerId);
  }

  /** Removes every timer that is not among these. */
  keepOnly(triggerIds: ReadonlySet<string>): void {
    for (const triggerId of this.timers.keys()) if (!triggerIds.has(triggerId)) this.remove(triggerId);
  }

  /** When the next timer is due; undefined when none ever is. */
  nextDue(): number | undefined {
    for (let top = this.order.peek(); top !== undefined; top = this.order.peek()) {
      if (this.isCurrent(top)) return top.due;
      this.order.pop();
    }
    return undefined;
  }

  /** Every fire that is due at `now`, one per timer. */
  take(now: number): DueFire[] {
    const fires: DueFire[] = [];
    for (let due = this.nextDue(); due !== undefined && due <= now; due = this.nextDue()) {
      const timer = this.order.pop()?.timer;
      if (timer === undefined) break;
      const { schedule, trigger } = timer;
      const since = Math.max(timer.after, now - CATCH_UP_MS - 1);
      const at = latestFire(schedule, trigger.createdTime, since, now);
      if (at !== undefined) fires.push({ trigger, at });
      timer.after = now;
      this.schedule(timer);
    }
    return fires;
  }

  private schedule(timer: Timer): void {
    timer.due = nextFire(timer.schedule, timer.trigger.createdTime, timer.after);
    if (timer.due === undefined) return;
    this.order.push({ due: timer.due, timer });
    this.onDue?.(timer.trigger, timer.due);
  }

  private isCurrent(entry: { readonly due: number; readonly timer: Timer }): boolean {
    const { timer, due } = entry;
    return timer.due === due && this.timers.get(timer.trigger.triggerId) === timer;
  }
}

/** Whether a trigger read again says what it said before. */
function isSame(a: TriggerRecord, b: TriggerRecord): boolean {
  return a.lastModifiedTime === b.lastModifiedTime && a.rawConfig === b.rawConfig && a.qualifier === b.qualifier;
}
