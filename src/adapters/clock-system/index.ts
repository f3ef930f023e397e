import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/base/clock.ts';
import { toDisposable } from '../../core/base/disposable.ts';
import type { Random } from '../../core/base/random.ts';

/** The engine fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Time as this machine has it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, action) {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      const now = Math.min(left, LONGEST_TIMER_MS);
      timer = setTimeout(() => (left > now ? arm(left - now) : action()), now);
      timer.unref();
    };
    arm(delayMs);
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
