import type { NodePool, StartOrder } from '../../../src/core/ports/node-pool.ts';
import type { NodePoolHarness } from '../../../src/core/ports/node-pool.suite.ts';
import type { FakeSandbox, FakeSandboxes } from './fakes.ts';
import { orderOf } from './fakes.ts';

/** Drives fake sandboxes for the node pool suite; `pool` may be the service itself or something in front of it. */
export function harnessOver(
  pool: NodePool,
  sandboxes: FakeSandboxes,
  parts: Pick<NodePoolHarness, 'settled' | 'close'>,
): NodePoolHarness {
  let initializer = '';
  sandboxes.behaviour = {
    load(load) {
      initializer = load.initializer;
      return { ok: true, ms: 1 };
    },
    initialize: () =>
      initializer === 'index.fails'
        ? { ok: false, ms: 1, error: { errorMessage: 'no', errorType: 'Error', stackTrace: [] } }
        : new Promise(() => undefined),
  };
  return {
    pool,
    order: (kind) =>
      orderOf(kind === 'starts' ? {} : { initializer: { handler: `index.${kind}`, timeout: 3 } }) satisfies StartOrder,
    crash: (instanceId) => sandboxOf(sandboxes, instanceId).die({ reason: 'crash', exitCode: 1 }),
    print: (instanceId, text) => sandboxOf(sandboxes, instanceId).print(text),
    ...parts,
  };
}

/** The sandbox that an instance was loaded into. */
export function sandboxOf(sandboxes: FakeSandboxes, instanceId: string): FakeSandbox {
  for (const sandbox of sandboxes.all.values()) {
    if (sandbox.loads.some((load) => load.env.FC_INSTANCE_ID === instanceId)) return sandbox;
  }
  throw new Error(`no sandbox holds ${instanceId}`);
}
