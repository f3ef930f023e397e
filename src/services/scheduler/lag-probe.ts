import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';

const EVERY_MS = 10;
/** Looks on for this long after the last call. */
const QUIET_MS = 1_000;

/**
 * Measures how late timers fire: what a call waits before this process even looks at it. Only while there are calls, so that
 * an idle server sleeps.
 */
export class LagProbe implements Disposable {
  private readonly clock: Clock;
  private readonly onSample: (lagMs: number, now: number) => void;
  private timer: Disposable | undefined = undefined;
  private lastCall = 0;
  private disposed = false;

  constructor(clock: Clock, onSample: (lagMs: number, now: number) => void) {
    this.clock = clock;
    this.onSample = onSample;
  }

  /** There was a call. */
  touch(now: number): void {
    this.lastCall = now;
    if (this.timer === undefined && !this.disposed) this.wait(now);
  }

  dispose(): void {
    this.disposed = true;
    this.timer?.dispose();
  }

  private wait(now: number): void {
    const due = now + EVERY_MS;
    this.timer = this.clock.after(EVERY_MS, () => {
      const fired = this.clock.monotonic();
      this.timer = undefined;
      this.onSample(Math.max(0, fired - due), fired);
      if (fired - this.lastCall < QUIET_MS) this.wait(fired);
    });
  }
}
