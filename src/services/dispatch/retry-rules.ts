import { type BackoffPolicy, backoffDelay } from '../../core/base/backoff.ts';
import type { EndState } from '../../core/domain/async-task.ts';
import type { TidemillError } from '../../core/domain/errors.ts';

/** What the function answered. */
export interface RunAnswer {
  /** At most `LIMITS.asyncResultBytes`. */
  readonly payload: Uint8Array;
  /** False when more came than was kept. */
  readonly complete: boolean;
  readonly durationMs: number;
}

/** How one run of an event ended. `code`: the error's name, or the field's name of the function's failure. */
export type RunEnd =
  | { readonly kind: 'succeeded'; readonly answer?: RunAnswer }
  /** The function failed: counts against maxAsyncRetryAttempts. */
  | { readonly kind: 'function-error'; readonly message: string; readonly code: string; readonly answer?: RunAnswer }
  /** Throttled, or the platform failed: tried again until the event is too old. */
  | { readonly kind: 'platform-error'; readonly message: string; readonly code: string }
  /** It can never run. */
  | { readonly kind: 'invalid'; readonly message: string; readonly code: string }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string }
  /** Its task was stopped. */
  | { readonly kind: 'stopped' }
  /** Somebody else has the event now, or we are shutting down. */
  | { readonly kind: 'given-up' };

/** What happens to the event then. Times are wall clock. */
export type NextStep =
  | { readonly kind: 'end'; readonly state: EndState; readonly message: string }
  | { readonly kind: 'retry'; readonly dueAt: number; readonly countAttempt: boolean }
  | { readonly kind: 'nothing' };

const FUNCTION_RETRY: BackoffPolicy = { firstMs: 1_000, maxMs: 60_000, factor: 2, jitter: 0 };
const PLATFORM_RETRY: BackoffPolicy = { firstMs: 500, maxMs: 60_000, factor: 2, jitter: 0.2 };

/** What an error before or instead of an answer means for an event. */
export function endOfError(error: TidemillError): RunEnd {
  const { code, message, culprit } = error;
  if (code === 'FunctionNotFound' || code === 'VersionNotFound' || code === 'AliasNotFound') {
    return { kind: 'invalid', message, code };
  }
  if (code === 'LimitExceededError' || code === 'EntityTooLarge' || code === 'InvalidArgument') {
    return { kind: 'failed', message, code };
  }
  return { kind: culprit === 'function' ? 'function-error' : 'platform-error', message, code };
}

export interface EventHistory {
  readonly acceptedAt: number;
  /** Runs that counted before this one. */
  readonly attempts: number;
  /** Runs in a row that the platform failed, this one included. */
  readonly platformFailures: number;
}

/**
 * FC reference 5: function errors are retried `maxRetries` times after 1, 2, 4 ... s; throttling and platform errors from
 * 0.5 s up, uncounted; nothing is retried beyond the event's age. `random` is in [0, 1).
 */
export function nextStep(
  end: RunEnd,
  history: EventHistory,
  config: { readonly maxRetries: number; readonly maxAgeSeconds: number },
  now: number,
  random: number,
): NextStep {
  const expiresAt = history.acceptedAt + config.maxAgeSeconds * 1_000;
  switch (end.kind) {
    case 'given-up':
      return { kind: 'nothing' };
    case 'stopped':
      return { kind: 'end', state: 'Stopped', message: 'the task was stopped' };
    case 'succeeded':
      return { kind: 'end', state: 'Succeeded', message: '' };
    case 'invalid':
      return { kind: 'end', state: 'Invalid', message: end.message };
    case 'failed':
      return { kind: 'end', state: 'Failed', message: end.message };
    case 'function-error': {
      if (history.attempts >= config.maxRetries) return { kind: 'end', state: 'Failed', message: end.message };
      const dueAt = now + backoffDelay(FUNCTION_RETRY, history.attempts, random);
      return { kind: 'retry', dueAt: Math.min(dueAt, expiresAt), countAttempt: true };
    }
    case 'platform-error': {
      const dueAt = now + backoffDelay(PLATFORM_RETRY, history.platformFailures - 1, random);
      return { kind: 'retry', dueAt: Math.min(dueAt, expiresAt), countAttempt: false };
    }
  }
}
