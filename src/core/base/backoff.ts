export interface BackoffPolicy {
  /** Delay before the first retry, milliseconds. */
  readonly firstMs: number;
  /** Largest delay, milliseconds. */
  readonly maxMs: number;
  /** Growth per retry. */
  readonly factor: number;
  /** Share of the delay that is randomised, 0..1, so that retries of many do not fall together. */
  readonly jitter: number;
}

/** Capped exponential back-off. `retry` counts from 0; `random` is in [0, 1). Returns milliseconds. */
export function backoffDelay(policy: BackoffPolicy, retry: number, random: number): number {
  const delay = Math.min(policy.maxMs, policy.firstMs * policy.factor ** retry);
  return delay * (1 - policy.jitter * random);
}
