import type { InvokeCommand } from '../../core/ports/dispatch.ts';
import type { FailedCalls } from '../../core/ports/failed-calls.ts';

/**
 * Keeps what a call that failed was given, for a replay. Only events: the body of an HTTP request is streamed to its function
 * and gone. `at`: wall clock.
 */
export function keepFailed(
  failed: Pick<FailedCalls, 'keep'> | undefined,
  { input, target, requestId }: InvokeCommand,
  at: number,
): void {
  if (failed === undefined || input.kind !== 'event') return;
  const { spec, qualifier } = target;
  const { account, functionName } = spec;
  failed.keep({ account, functionName, qualifier, requestId, at, payload: input.payload });
}
