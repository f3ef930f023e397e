import type { Clock } from '../../../src/core/base/clock.ts';
import { toDisposable } from '../../../src/core/base/disposable.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs).unref();
    return toDisposable(() => clearTimeout(timer));
  },
};
