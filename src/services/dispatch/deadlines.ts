import { Alarm } from '../../core/base/alarm.ts';
import type { Clock } from '../../core/base/clock.ts';
import { Deadline, DeadlineWheel } from '../../core/base/deadline-wheel.ts';
import type { Disposable } from '../../core/base/disposable.ts';

export interface Expiring {
  onDeadline(): void;
}

/** One timer for the deadlines of all calls: a call costs two list operations instead of a timer. */
export class Deadlines implements Disposable {
  private readonly clock: Clock;
  private readonly wheel: DeadlineWheel<Expiring>;
  private readonly alarm: Alarm;

  constructor(clock: Clock) {
    this.clock = clock;
    this.wheel = new DeadlineWheel({ granularityMs: 5, buckets: 4_096, now: clock.monotonic() });
    this.alarm = new Alarm(clock, () => this.ring());
  }

  /** `at`: monotonic milliseconds. */
  set(deadline: Deadline<Expiring>, at: number): void {
    this.wheel.set(deadline, at);
    this.alarm.wakeBy(this.wheel.earliest);
  }

  clear(deadline: Deadline<Expiring>): void {
    this.wheel.clear(deadline);
  }

  dispose(): void {
    this.alarm.dispose();
  }

  private ring(): void {
    this.wheel.expire(this.clock.monotonic(), (call) => call.onDeadline());
    this.alarm.wakeBy(this.wheel.earliest);
  }
}

export { Deadline };
