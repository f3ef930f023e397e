import { TidemillError } from './errors.ts';

/** Which bound kept a call from running; the label of `tidemill_throttled_total` and a member of the call's fact. */
export type ThrottleReason =
  /** The function runs as many instances as it may (reserved concurrency, scaling limit). */
  | 'function-instances'
  /** The account runs as many instances as it may. */
  | 'account-instances'
  /** The account has as many calls in flight as it may. */
  | 'account-calls'
  /** The instances of the account use as much memory as they may. */
  | 'account-memory'
  /** The instance of the call's session runs as many calls as an instance may. */
  | 'session-instance'
  /** The function may only use reserved instances, and none is free. */
  | 'on-demand-off'
  /** No machine has room for another instance. */
  | 'machine-full'
  /** The platform is overloaded and the function sends more than its share. */
  | 'overload';

/** A call that was refused because of a limit, before it ran. */
export class ThrottledError extends TidemillError {
  readonly reason: ThrottleReason;

  constructor(
    reason: ThrottleReason,
    code: 'ResourceExhausted' | 'ResourceThrottled',
    message: string,
    options?: { remedy?: string },
  ) {
    super(code, message, options);
    this.reason = reason;
  }
}

/**
 * The share of its calls that a caller loses under overload: none up to `allowed`, and the more the further it is beyond, so
 * that what is let in of it is `allowed`. Both in calls of the same span; 0..1.
 */
export function throttleProbability(load: number, allowed: number): number {
  return load <= allowed ? 0 : 1 - allowed / load;
}

/**
 * Max-min fairness: the most that each may have so that all together have `capacity`. Whoever wants less keeps all of it, and
 * what that leaves is shared equally by the others. Infinity when there is enough for all. Demands are not negative.
 */
export function fairLevel(demands: readonly number[], capacity: number): number {
  const sorted = demands.toSorted((a, b) => a - b);
  let left = Math.max(0, capacity);
  for (const [i, demand] of sorted.entries()) {
    const level = left / (sorted.length - i);
    if (demand > level) return level;
    left -= demand;
  }
  return Number.POSITIVE_INFINITY;
}
