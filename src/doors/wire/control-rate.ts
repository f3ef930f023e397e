import type { Clock } from '../../core/base/clock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { Quotas } from '../../core/ports/accounts.ts';

/** How much may come at once after a quiet time, in seconds of the rate. */
const BURST_SECONDS = 10;

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Requests a second of each account that are neither calls of functions nor accesses to objects: quota `requestsPerSecond`. */
export class ControlRate {
  private readonly quotas: Pick<Quotas, 'of'>;
  private readonly clock: Clock;
  private readonly buckets = new Map<string, Bucket>();

  constructor(quotas: Pick<Quotas, 'of'>, clock: Clock) {
    this.quotas = quotas;
    this.clock = clock;
  }

  /** Counts one request. Throws ResourceExhausted (429) when the account has sent too many. */
  take(account: string): void {
    const rate = this.quotas.of(account).requestsPerSecond;
    const most = rate * BURST_SECONDS;
    const now = this.clock.monotonic();
    let bucket = this.buckets.get(account);
    if (bucket === undefined) this.buckets.set(account, (bucket = { tokens: most, filledAt: now }));
    bucket.tokens = Math.min(most, bucket.tokens + ((now - bucket.filledAt) / 1000) * rate);
    bucket.filledAt = now;
    if (bucket.tokens >= 1) {
      bucket.tokens--;
      return;
    }
    throw new TidemillError(
      'ResourceExhausted',
      `the account sends more than ${rate} control requests a second (quota requestsPerSecond)`,
      { remedy: 'Send fewer, or ask the operator to raise the quota of the account.' },
    );
  }
}
