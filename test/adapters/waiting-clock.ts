import type { Clock } from '../../src/core/base/clock.ts';

/** Real time; unlike an agent, a test has nothing else that keeps its process alive while it waits. */
export const waitingClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return { dispose: () => clearTimeout(timer) };
  },
};
