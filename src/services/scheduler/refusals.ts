import { TidemillError } from '../../core/domain/errors.ts';
import type { StartFailure } from '../../core/ports/node-pool.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { RejectReason, StartFailureCause } from './events.ts';

/** The error for a call that a limit keeps from waiting. `start-failed` has its own error and never comes here. */
export function refusalError(
  reason: Exclude<RejectReason, 'start-failed'>,
  spec: VersionSpec,
  limits: { readonly account: number; readonly reserved: number | undefined },
): TidemillError {
  const name = spec.functionName;
  switch (reason) {
    case 'function-limit':
      return limits.reserved === 0
        ? new TidemillError('ResourceExhausted', `function '${name}' has a reserved concurrency of 0`, {
            remedy: 'Raise or delete the concurrency config of the function.',
          })
        : new TidemillError(
            'ResourceExhausted',
            `function '${name}' uses all of its ${limits.reserved ?? 0} reserved instances`,
          );
    case 'account-limit':
      return new TidemillError(
        'ResourceExhausted',
        `the account uses all of its ${limits.account} instances (those reserved for other functions included)`,
      );
    case 'no-capacity':
      return new TidemillError(
        'ResourceThrottled',
        `no machine has room for another instance of ${spec.config.memorySize} MB`,
      );
    case 'on-demand-off':
      return new TidemillError(
        'ResourceExhausted',
        `function '${name}' does not use on-demand instances (disableOndemand) and no other instance is free`,
        { remedy: 'Set disableOndemand to false.' },
      );
  }
}

export function causeOf(kind: StartFailure['kind']): StartFailureCause {
  if (kind === 'no-capacity') return 'capacity';
  return kind === 'platform' ? 'platform' : 'function';
}
