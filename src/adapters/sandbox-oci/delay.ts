import type { Clock } from '../../core/base/clock.ts';

/** Resolves after `ms` of the given clock. */
export function delay(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
