import type { Clock } from '../../src/core/base/clock.ts';
import { silentLogger } from '../../src/core/base/log.ts';
import type { FunctionRecord } from '../../src/core/domain/function.ts';
import { defaultConfig } from '../../src/core/domain/function-defaults.ts';
import type { VersionSpec } from '../../src/core/domain/version-spec.ts';
import type { Catalog } from '../../src/core/ports/catalog.ts';
import type { InvokeCommand } from '../../src/core/ports/dispatch.ts';
import type { EventQueue } from '../../src/core/ports/event-queue.ts';
import type { ObjectStore } from '../../src/core/ports/object-store.ts';
import type { WebhookSender } from '../../src/core/ports/webhook-sender.ts';
import type { FactLog } from '../../src/core/ports/fact-log.ts';
import type { InstanceAnswer, InstanceLink } from '../../src/core/ports/instance-link.ts';
import { LOOP_DEFAULTS } from '../../src/core/domain/loop-limits.ts';
import type { NodePool } from '../../src/core/ports/node-pool.ts';
import type { Sessions } from '../../src/core/ports/sessions.ts';
import { createDispatch } from '../../src/services/dispatch/index.ts';
import { createScheduling } from '../../src/services/scheduler/index.ts';

/**
 * What dispatch and scheduler add to a warm call: resolve, lease, call over a link that answers at once, settle, fact.
 * `node bench/rows/dispatch-overhead.ts [calls]`; prints one JSON line with nanoseconds per call.
 */
const CONFIG = defaultConfig('nodejs20', 'index.handler');
const CODE = { owner: '1234567890123456', digest: 'd', checksum: '1', size: 1 };
const SPEC: VersionSpec = {
  key: '1000000000000000/f/LATEST@1',
  account: '1000000000000000',
  functionName: 'f',
  functionArn: 'acs:fc:local:1000000000000000:functions/f',
  versionId: 'LATEST',
  config: CONFIG,
  code: CODE,
  layers: [],
};
const RECORD: FunctionRecord = {
  account: SPEC.account,
  name: 'f',
  functionId: 'f',
  config: CONFIG,
  code: CODE,
  tags: [],
  createdTime: 0,
  lastModifiedTime: 0,
  generation: 1,
  lastVersionId: 0,
  lastPublishedGeneration: 0,
};
const NOTHING = { dispose() {} };

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs).unref();
    return { dispose: () => clearTimeout(timer) };
  },
};

/** The parts of a port that this bench uses; anything else is a mistake and throws. */
function only<T extends object>(parts: Partial<T>): T {
  return new Proxy(parts, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (value === undefined) throw new Error(`not part of this bench: ${String(name)}`);
      return value;
    },
  }) as T;
}

function plain<T>(parts: Partial<T>): T {
  return parts as T;
}

/** Dispatch and scheduler as in the server, over a link that answers at once; `queue` holds asynchronous calls. */
export function buildDispatch(queue = plain<EventQueue>({})) {
  const answer: InstanceAnswer = { errorType: undefined, payload: Buffer.from('ok'), memoryMb: 30 };
  const link: InstanceLink = {
    invoke: () => Promise.resolve(answer),
    busyAtConnect: [],
    drained: () => Promise.resolve(),
    closed: new Promise(() => {}),
    close() {},
  };
  const catalog = plain<Catalog>({
    asyncConfig: async () => undefined,
    function: async () => RECORD,
    spec: async () => SPEC,
    onFunction: () => NOTHING,
  });
  const pool = only<NodePool>({
    nodes: () => [],
    list: async () => [],
    start: async ({ instanceId }) => ({
      instanceId,
      nodeId: 'n',
      address: { kind: 'frames', path: '' },
      timings: { sandboxMs: 1, runtimeMs: 1, codeMs: 1, initializerMs: 0, from: 'pool' },
      startLog: '',
    }),
    freeze: async () => {},
    thaw: async () => {},
    onExit: () => NOTHING,
    onOutput: () => NOTHING,
    sourceOf: () => undefined,
    onUsage: () => NOTHING,
    onPressure: () => NOTHING,
    onNodeUp: () => NOTHING,
  });
  const credentials = { accessKeyId: 'a', accessKeySecret: 's', securityToken: 't', expiresAt: 0 };
  let facts = 0;
  let ended = 0;
  const shared = {
    pool,
    catalog,
    clock,
    identity: { credentialsFor: () => credentials },
    states: { isActive: () => true },
    quotas: { onChange: () => ({ dispose() {} }) },
    random: { bytes: (count: number) => new Uint8Array(count), float: Math.random },
    facts: plain<FactLog>({
      append: (fact) => {
        facts++;
        if (fact.type === 'event-ended') ended++;
      },
    }),
    logger: silentLogger,
  };
  const scheduling = createScheduling({ ...shared, dialer: { dial: async () => link }, epoch: 1, limits: {} });
  const dispatch = createDispatch({
    ...shared,
    scheduling,
    sessions: only<Sessions>({}),
    queue,
    objects: only<ObjectStore>({}),
    webhooks: only<WebhookSender>({}),
    region: 'local',
    loopLimits: LOOP_DEFAULTS,
  });
  return { scheduling, dispatch, facts: () => facts, ended: () => ended };
}

async function main(calls: number): Promise<void> {
  const { scheduling, dispatch, facts } = buildDispatch();
  await scheduling.start();
  const { signal } = new AbortController();
  const lineage = { hops: 0, rootRequestId: 'r' };
  const input: InvokeCommand['input'] = { kind: 'event', payload: Buffer.from('in') };
  const lap = async (): Promise<number> => {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) {
      const target = await dispatch.resolve(SPEC.account, 'f', undefined);
      await dispatch.invoke({ requestId: 'r', target, caller: 'anonymous', input, logTail: false, signal, lineage });
    }
    return Number(process.hrtime.bigint() - begin) / calls;
  };
  const laps: number[] = [];
  for (let i = 0; i < 7; i++) laps.push(await lap());
  if (facts() < calls) throw new Error('calls were not recorded');
  const nsPerCall = Math.round(Math.min(...laps));
  console.log(JSON.stringify({ row: 'dispatch-overhead', nsPerCall, callsPerSecond: Math.round(1e9 / nsPerCall) }));
  await dispatch.close();
  await scheduling.close();
}

if (import.meta.main) await main(Number(process.argv[2] ?? 100_000));
