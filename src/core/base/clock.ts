import type { Disposable } from './disposable.ts';

/** Time, passed in so that the same code runs in production and in simulated time. */
export interface Clock {
  /** Wall-clock milliseconds since the Unix epoch. May jump; use only for what is shown or stored. */
  now(): number;
  /** Monotonic milliseconds (fractional), for durations and deadlines. */
  monotonic(): number;
  /** Runs `action` once after `delayMs`; disposing before then cancels it. The timer does not keep a process alive. */
  after(delayMs: number, action: () => void): Disposable;
}
