import type { BackoffPolicy } from '../../core/base/backoff.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { KEEP_ALIVE_DEFAULTS, type KeepAliveSettings } from './keep-alive.ts';

/** What one account may use of instances. */
export interface AccountBounds {
  readonly instances: number;
  readonly calls: number;
  readonly memoryMb: number;
}

/** What may be tuned about scheduling; everything has a value. */
export interface SchedulerSettings {
  /** Most instances of one account, unless an `account-limit` event says otherwise. */
  readonly instancesPerAccount: number;
  /** Most calls of one account that wait or run at once. */
  readonly callsPerAccount: number;
  /** What an account may use that has numbers of its own; undefined: the two above, and any memory. */
  readonly boundsOf: (account: string) => AccountBounds | undefined;
  /** Most starts in progress at once over all functions: the rest wait their turn, function by function. */
  readonly startsAtOnce: number;
  /** Most instances of a version whose execution time nobody has measured yet. */
  readonly startsUnmeasured: number;
  /** Start time assumed before anything was started, milliseconds. */
  readonly assumedStartMs: number;
  /** Length of the first window that gives a version's arrival rate, milliseconds; later ones follow the density of calls. */
  readonly windowMs: number;
  /** Pause before the next start of a version whose last starts failed. */
  readonly startBackoff: BackoffPolicy;
  /** A version without a failed start for this long begins the back-off anew, milliseconds. */
  readonly forgetFailuresMs: number;
  /** How often a call waits for an idle instance to make room after a node had none, before it is refused. */
  readonly capacityRetries: number;
  readonly keepAlive: KeepAliveSettings;
  /** An instance idle for this long is frozen until its next call, milliseconds; Infinity: never. */
  readonly freezeAfterMs: number;
  /** A frozen reserved instance idle for this long gives its memory back until its next call, milliseconds; Infinity: never. */
  readonly shrinkAfterMs: number;
}

export const DEFAULT_SETTINGS: SchedulerSettings = {
  instancesPerAccount: LIMITS.instancesPerAccount,
  callsPerAccount: LIMITS.callsPerAccount,
  boundsOf: () => undefined,
  startsAtOnce: 64,
  startsUnmeasured: 16,
  assumedStartMs: 300,
  windowMs: 1_000,
  startBackoff: { firstMs: 50, maxMs: 2_000, factor: 2, jitter: 0 },
  forgetFailuresMs: 30_000,
  capacityRetries: 3,
  keepAlive: KEEP_ALIVE_DEFAULTS,
  freezeAfterMs: 100,
  shrinkAfterMs: LIMITS.shrinkAfterMs,
};
