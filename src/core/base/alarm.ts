import type { Clock } from './clock.ts';
import type { Disposable } from './disposable.ts';

/**
 * One timer for many deadlines: rings no later than the earliest time asked for, then it is up to the owner to ask again.
 * Asking costs a comparison when the timer is early enough already.
 */
export class Alarm implements Disposable {
  private readonly clock: Clock;
  private readonly ring: () => void;
  private armedFor = Number.POSITIVE_INFINITY;
  private timer: Disposable | undefined = undefined;
  private disposed = false;

  constructor(clock: Clock, ring: () => void) {
    this.clock = clock;
    this.ring = ring;
  }

  /** Rings at `at` (monotonic milliseconds) at the latest. Infinity asks for nothing. */
  wakeBy(at: number): void {
    if (at >= this.armedFor || this.disposed) return;
    this.timer?.dispose();
    this.armedFor = at;
    this.timer = this.clock.after(Math.max(0, at - this.clock.monotonic()), () => {
      this.armedFor = Number.POSITIVE_INFINITY;
      this.timer = undefined;
      this.ring();
    });
  }

  dispose(): void {
    this.disposed = true;
    this.timer?.dispose();
    this.timer = undefined;
  }
}
