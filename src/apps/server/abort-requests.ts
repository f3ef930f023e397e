import type { Disposable } from '../../core/base/disposable.ts';
import type { Control } from '../../core/ports/control.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';
import type { Scheduling } from '../../core/ports/scheduling.ts';

/**
 * DisableFunctionInvocation with `abortOngoingRequest` (FC reference 1.1): instances that are working on a call are removed,
 * so their callers get the error of an instance that ended; idle ones go by the usual way.
 */
export function abortRunningCalls(parts: {
  readonly control: Pick<Control, 'onAbortRequested'>;
  readonly scheduling: Pick<Scheduling, 'instances'>;
  readonly pool: Pick<NodePool, 'kill'>;
  readonly onError: (error: unknown) => void;
}): Disposable {
  return parts.control.onAbortRequested(({ account, functionName }) => {
    for (const { instanceId, inFlight } of parts.scheduling.instances(account, functionName)) {
      if (inFlight > 0) parts.pool.kill(instanceId, 'killed').catch(parts.onError);
    }
  });
}
