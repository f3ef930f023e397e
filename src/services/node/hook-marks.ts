import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import type { StartOrder } from '../../core/ports/node-pool.ts';
import type { InstanceOutputBuffer } from './instance-output.ts';

/** The lines around a hook in the function's log. */
export interface HookMarks {
  begin(): void;
  end(error: string | undefined): void;
}

/**
 * `FC Initialize Start RequestId: ...` and its like (FC reference 2.7). Custom runtimes write these lines themselves
 * (reference 4.5), so nothing is added to theirs.
 */
export function hookMarks(
  hook: 'Initialize' | 'PreStop',
  order: Pick<StartOrder, 'spec'>,
  requestId: string,
  output: Pick<InstanceOutputBuffer, 'mark'>,
): HookMarks {
  if (isCustomRuntime(order.spec.config.runtime)) return { begin() {}, end() {} };
  return {
    begin: () => output.mark(`FC ${hook} Start RequestId: ${requestId}`),
    end: (error) =>
      output.mark(`FC ${hook} End RequestId: ${requestId}${error === undefined ? '' : `, Error: ${error}`}`),
  };
}
