import { type ThrottleReason, ThrottledError } from '../../core/domain/overload.ts';
import type { StartFailure } from '../../core/ports/node-pool.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { RejectReason, StartFailureCause } from './events.ts';

/** The bounds in force when a call was refused. */
export interface BoundsInForce {
  /** Instances of the account. */
  readonly account: number;
  /** Calls in flight of the account. */
  readonly accountCalls: number;
  /** Memory of the account's instances, MB. */
  readonly accountMemoryMb: number;
  readonly reserved: number | undefined;
}

/** The error for a call that a limit keeps from waiting. `start-failed` has its own error and never comes here. */
export function refusalError(
  reason: Exclude<RejectReason, 'start-failed'>,
  spec: VersionSpec,
  bounds: BoundsInForce,
): ThrottledError {
  const name = spec.functionName;
  switch (reason) {
    case 'function-limit':
      return bounds.reserved === 0
        ? exhausted(
            'function-instances',
            `function '${name}' has a reserved concurrency of 0`,
            'Raise or delete the concurrency config of the function.',
          )
        : exhausted(
            'function-instances',
            `function '${name}' uses all of its ${bounds.reserved ?? 0} reserved instances`,
            'Call again later, or raise the reserved concurrency of the function (PutConcurrencyConfig).',
          );
    case 'account-limit':
      return exhausted(
        'account-instances',
        `the account uses all of its ${bounds.account} instances (those reserved for other functions included)`,
        'Call again later, lower what other functions reserve, or ask the operator to raise the quota instances of the account.',
      );
    case 'account-calls':
      return exhausted(
        'account-calls',
        `the account has ${bounds.accountCalls} calls in flight, which is the most allowed`,
        'Call again later, or ask the operator to raise the quota calls of the account.',
      );
    case 'account-memory':
      return exhausted(
        'account-memory',
        `the instances of the account use all of its ${bounds.accountMemoryMb} MB`,
        'Call again later, give functions less memorySize, or ask the operator to raise the quota memoryMb of the account.',
      );
    case 'no-capacity':
      return new ThrottledError(
        'machine-full',
        'ResourceThrottled',
        `no machine has room for another instance of ${spec.config.memorySize} MB`,
      );
    case 'on-demand-off':
      return exhausted(
        'on-demand-off',
        `function '${name}' does not use on-demand instances (disableOndemand) and no other instance is free`,
        'Set disableOndemand to false.',
      );
  }
}

function exhausted(reason: ThrottleReason, message: string, remedy: string): ThrottledError {
  return new ThrottledError(reason, 'ResourceExhausted', message, { remedy });
}

/** The error for a call of a function that sends more than its share while the platform is overloaded. */
export function overloadError(spec: VersionSpec): ThrottledError {
  return new ThrottledError(
    'overload',
    'ResourceThrottled',
    `the platform is overloaded and function '${spec.functionName}' is called more often than its share`,
    { remedy: 'Call less often, or again later: whoever stays below the common share is not throttled.' },
  );
}

export function causeOf(kind: StartFailure['kind']): StartFailureCause {
  if (kind === 'no-capacity') return 'capacity';
  return kind === 'platform' ? 'platform' : 'function';
}
