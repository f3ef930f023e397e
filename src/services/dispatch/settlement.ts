import type { InvocationSettled } from '../../core/domain/fact.ts';
import type { FunctionErrorType, InvocationTimings } from '../../core/domain/invocation.ts';
import type { ThrottleReason } from '../../core/domain/overload.ts';
import type { InvokeCommand } from '../../core/ports/dispatch.ts';

export interface Outcome {
  readonly instanceId: string;
  readonly status: number;
  readonly errorType?: FunctionErrorType | undefined;
  readonly errorMessage?: string | undefined;
  readonly throttled?: ThrottleReason | undefined;
  readonly durationMs: number;
  readonly maxMemoryMb: number;
  readonly timings: InvocationTimings;
}

/** Duration billed: what ran, initializer included, rounded up to a millisecond (FC reference 7). */
export function billedMs(durationMs: number, timings: InvocationTimings): number {
  // A float's last digits must not buy another millisecond.
  return Math.ceil(Math.round((durationMs + timings.initializerMs) * 1_000) / 1_000);
}

/** The fact about a call that has ended. Calls that never ran are recorded, but not billed. */
export function settled(
  command: InvokeCommand,
  invocation: 'sync' | 'async',
  at: number,
  outcome: Outcome,
): InvocationSettled {
  const { spec, qualifier } = command.target;
  const { instanceId, status, errorType, errorMessage, durationMs, maxMemoryMb, timings } = outcome;
  const fact: InvocationSettled = {
    type: 'invocation-settled',
    at,
    account: spec.account,
    functionName: spec.functionName,
    requestId: command.requestId,
    qualifier,
    versionId: spec.versionId,
    instanceId,
    invocation,
    status,
    durationMs,
    billedMs: instanceId === '' ? 0 : billedMs(durationMs, timings),
    memorySizeMb: spec.config.memorySize,
    maxMemoryMb,
    timings,
  };
  if (errorType === undefined && errorMessage === undefined) return fact;
  return {
    ...fact,
    specKey: spec.key,
    codeDigest: spec.code.digest,
    ...(errorType === undefined ? {} : { errorType }),
    ...(errorMessage === undefined ? {} : { errorMessage }),
    ...(outcome.throttled === undefined ? {} : { throttled: outcome.throttled }),
  };
}
