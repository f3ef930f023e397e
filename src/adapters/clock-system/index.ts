import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/base/clock.ts';
import { toDisposable } from '../../core/base/disposable.ts';
import type { Random } from '../../core/base/random.ts';

/** Time as this machine has it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    timer.unref();
    return toDisposable(() => clearTimeout(timer));
  },
};

const POOL_BYTES = 4096;
let pool = Buffer.alloc(0);
let used = 0;

/** The operating system's randomness, fetched a page at a time: a call for a few bytes costs no system call. */
export const systemRandom: Random = {
  bytes(count) {
    if (count > POOL_BYTES / 4) return randomBytes(count);
    if (used + count > pool.length) {
      pool = randomBytes(POOL_BYTES);
      used = 0;
    }
    used += count;
    return pool.subarray(used - count, used);
  },
  float: () => Math.random(),
};
