import { Emitter } from '../../../src/core/base/emitter.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import type { Fact } from '../../../src/core/domain/fact.ts';
import type {
  AliasRecord,
  AsyncInvokeConfigRecord,
  FunctionConfig,
  FunctionRecord,
} from '../../../src/core/domain/function.ts';
import { defaultConfig } from '../../../src/core/domain/function-defaults.ts';
import type { InstanceAddress, InstanceExit } from '../../../src/core/domain/instance.ts';
import type { VersionSpec } from '../../../src/core/domain/version-spec.ts';
import type { Catalog } from '../../../src/core/ports/catalog.ts';
import type { FactLog } from '../../../src/core/ports/fact-log.ts';
import type { Identity } from '../../../src/core/ports/identity.ts';
import {
  type InstanceAnswer,
  type InstanceCall,
  type InstanceDialer,
  type InstanceLink,
  LinkBrokenError,
} from '../../../src/core/ports/instance-link.ts';
import type {
  FoundInstance,
  InstanceOutput,
  InstanceUsage,
  NodeInfo,
  NodePool,
  NodePressure,
  StartedInstance,
  StartOrder,
} from '../../../src/core/ports/node-pool.ts';
import { SeededRandom, SimulatedClock } from './simulated-clock.ts';

export const ACCOUNT = '1000000000000000';

const CODE = { owner: '1234567890123456', digest: 'd', checksum: '1', size: 1 };

export function configOf(more: Partial<FunctionConfig> = {}): FunctionConfig {
  return { ...defaultConfig('nodejs20', 'index.handler'), ...more };
}

/** Functions and aliases in memory; `put` announces the change as control would. */
export class FakeCatalog implements Catalog {
  readonly records = new Map<string, FunctionRecord>();
  readonly aliases = new Map<string, AliasRecord>();
  readonly versions = new Map<string, VersionSpec>();
  readonly asyncConfigs = new Map<string, AsyncInvokeConfigRecord>();
  private readonly specs = new Map<string, VersionSpec>();
  private readonly changes = new Emitter<{ account: string; name: string }>();

  put(name: string, config: Partial<FunctionConfig> = {}, more: Partial<FunctionRecord> = {}): VersionSpec {
    const generation = (this.records.get(name)?.generation ?? 0) + 1;
    this.records.set(name, {
      account: ACCOUNT,
      name,
      functionId: name,
      config: configOf(config),
      code: CODE,
      tags: [],
      createdTime: 0,
      lastModifiedTime: 0,
      generation,
      lastVersionId: 0,
      lastPublishedGeneration: 0,
      ...more,
    });
    const spec = specOf(name, 'LATEST', generation, config);
    this.specs.set(name, spec);
    this.changes.emit({ account: ACCOUNT, name });
    return spec;
  }

  /** Changes the record without a new generation. */
  patch(name: string, more: Partial<FunctionRecord>): void {
    const record = this.records.get(name);
    if (record === undefined) throw new Error(`no function ${name}`);
    this.records.set(name, { ...record, ...more });
    this.changes.emit({ account: ACCOUNT, name });
  }

  publish(name: string, versionId: string, config: Partial<FunctionConfig> = {}): VersionSpec {
    const spec = specOf(name, versionId, 1, config);
    this.versions.set(`${name}/${versionId}`, spec);
    return spec;
  }

  delete(name: string): void {
    this.records.delete(name);
    this.specs.delete(name);
    this.changes.emit({ account: ACCOUNT, name });
  }

  async function(_account: string, name: string): Promise<FunctionRecord | undefined> {
    return this.records.get(name);
  }
  async version(): Promise<undefined> {
    return undefined;
  }
  async alias(_account: string, name: string, alias: string): Promise<AliasRecord | undefined> {
    return this.aliases.get(`${name}/${alias}`);
  }
  async spec(_account: string, name: string, versionId: string): Promise<VersionSpec | undefined> {
    return versionId === 'LATEST' ? this.specs.get(name) : this.versions.get(`${name}/${versionId}`);
  }
  async asyncConfig(_account: string, name: string, qualifier: string): Promise<AsyncInvokeConfigRecord | undefined> {
    return this.asyncConfigs.get(`${name}/${qualifier}`);
  }
  async httpTrigger(): Promise<undefined> {
    return undefined;
  }
  async triggers(): Promise<readonly never[]> {
    return [];
  }
  onTrigger() {
    return { dispose() {} };
  }
  onFunction(listener: (change: { account: string; name: string }) => void) {
    return this.changes.subscribe(listener);
  }
}

function specOf(name: string, versionId: string, generation: number, config: Partial<FunctionConfig>): VersionSpec {
  return {
    key: `${ACCOUNT}/${name}/${versionId}@${generation}`,
    account: ACCOUNT,
    functionName: name,
    functionArn: `acs:fc:local:${ACCOUNT}:functions/${name}`,
    versionId,
    config: configOf(config),
    code: CODE,
    layers: [],
  };
}

/** An instance's link: `answer` decides what happens to a call. */
export class FakeLink implements InstanceLink {
  busyAtConnect: readonly string[] = [];
  readonly closed: Promise<void>;
  readonly calls: InstanceCall[] = [];
  readonly drain = Promise.withResolvers<void>();
  isClosed = false;
  private readonly end = Promise.withResolvers<void>();
  private readonly broken = new Set<(error: Error) => void>();
  private readonly answer: (call: InstanceCall) => Promise<InstanceAnswer>;

  constructor(answer: (call: InstanceCall) => Promise<InstanceAnswer>) {
    this.answer = answer;
    this.closed = this.end.promise;
  }

  invoke(call: InstanceCall): Promise<InstanceAnswer> {
    this.calls.push(call);
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(error);
      this.broken.add(fail);
      call.signal.addEventListener('abort', () => reject(call.signal.reason), { once: true });
      this.answer(call)
        .then(resolve, reject)
        .finally(() => this.broken.delete(fail));
    });
  }

  drained(): Promise<void> {
    return this.drain.promise;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const fail of this.broken) fail(new LinkBrokenError('the connection is gone'));
    this.end.resolve();
  }
}

/** A node in memory: starts take `startMs` of simulated time. */
export class FakePool implements NodePool {
  readonly running = new Map<string, StartOrder>();
  readonly orders: StartOrder[] = [];
  readonly kills: [string, string][] = [];
  readonly stops: string[] = [];
  startMs = 100;
  fail: (order: StartOrder) => Error | undefined = () => undefined;
  found: FoundInstance[] = [];
  capacity: NodeInfo[] = [];
  private readonly clock: SimulatedClock;
  private readonly exits = new Emitter<InstanceExit>();
  private readonly outputs = new Emitter<InstanceOutput>();
  private readonly usages = new Emitter<InstanceUsage>();
  private readonly pressures = new Emitter<NodePressure>();
  private readonly nodeUps = new Emitter<NodeInfo>();
  private readonly onGone: (id: string) => void;

  constructor(clock: SimulatedClock, onGone: (id: string) => void) {
    this.clock = clock;
    this.onGone = onGone;
  }

  nodes(): readonly NodeInfo[] {
    return this.capacity;
  }

  start(order: StartOrder): Promise<StartedInstance> {
    this.orders.push(order);
    return new Promise((resolve, reject) => {
      this.clock.after(this.startMs, () => {
        const error = this.fail(order);
        if (error !== undefined) return reject(error);
        this.running.set(order.instanceId, order);
        resolve({
          instanceId: order.instanceId,
          nodeId: 'node',
          address: { kind: 'frames', path: order.instanceId },
          timings: { sandboxMs: 10, runtimeMs: 20, codeMs: 30, initializerMs: 40, from: 'pool' },
          startLog: 'FunctionCompute nodejs20 runtime inited.\r\n',
        });
      });
    });
  }

  async stop(instanceId: string): Promise<void> {
    this.stops.push(instanceId);
    this.exit(instanceId, 'stopped');
  }

  async kill(instanceId: string, reason: 'timeout' | 'killed'): Promise<void> {
    this.kills.push([instanceId, reason]);
    this.exit(instanceId, reason);
  }

  /** What was frozen, thawed, shrunk and prepared, in order. */
  readonly pauses: [string, string][] = [];
  async freeze(instanceId: string): Promise<void> {
    this.pauses.push(['freeze', instanceId]);
  }
  async thaw(instanceId: string): Promise<void> {
    this.pauses.push(['thaw', instanceId]);
  }
  async shrink(instanceId: string): Promise<void> {
    this.pauses.push(['shrink', instanceId]);
  }
  async exec(): Promise<never> {
    throw new Error('nothing runs here');
  }
  async prepare(spec: VersionSpec): Promise<void> {
    this.pauses.push(['prepare', spec.key]);
  }

  exit(instanceId: string, reason: InstanceExit['reason'], more: Partial<InstanceExit> = {}): void {
    if (!this.running.delete(instanceId)) return;
    this.exits.emit({ instanceId, reason, lastOutput: '', ...more });
    this.onGone(instanceId);
  }

  /** Network addresses by instance, for those that have one. */
  readonly sources = new Map<string, string>();
  sourceOf(instanceId: string): string | undefined {
    return this.sources.get(instanceId);
  }

  async list(): Promise<readonly FoundInstance[]> {
    return this.found;
  }

  onExit(listener: (exit: InstanceExit) => void) {
    return this.exits.subscribe(listener);
  }
  onOutput(listener: (output: InstanceOutput) => void) {
    return this.outputs.subscribe(listener);
  }
  onUsage(listener: (usage: InstanceUsage) => void) {
    return this.usages.subscribe(listener);
  }
  onPressure(listener: (pressure: NodePressure) => void) {
    return this.pressures.subscribe(listener);
  }
  onNodeUp(listener: (node: NodeInfo) => void) {
    return this.nodeUps.subscribe(listener);
  }
  output(instanceId: string, text: string): void {
    this.outputs.emit({ instanceId, text, at: this.clock.now() });
  }
  use(instanceId: string, memoryPeakBytes: number, cpuMicros = 0): void {
    this.usages.emit({ instanceId, memoryPeakBytes, memoryBytes: memoryPeakBytes, cpuMicros });
  }
  press(nodeId: string, cpu: NodePressure['cpu']): void {
    this.pressures.emit({ nodeId, cpu });
  }
  nodeUp(node: NodeInfo): void {
    this.nodeUps.emit(node);
  }
  async close(): Promise<void> {}
}

export class FakeFacts implements FactLog {
  readonly list: Fact[] = [];
  append(fact: Fact): void {
    this.list.push(fact);
  }
  of<T extends Fact['type']>(type: T): Extract<Fact, { type: T }>[] {
    return this.list.filter((fact): fact is Extract<Fact, { type: T }> => fact.type === type);
  }
  async flush(): Promise<void> {}
  async read(): Promise<{ facts: readonly Fact[]; cursor: string }> {
    return { facts: this.list, cursor: '' };
  }
  latest = this.read;
  subscribe() {
    return { dispose() {} };
  }
  async close(): Promise<void> {}
}

/** Everything around scheduling and dispatch, in memory and in simulated time. */
export class World {
  readonly clock = new SimulatedClock();
  readonly random = new SeededRandom();
  readonly catalog = new FakeCatalog();
  readonly facts = new FakeFacts();
  readonly links = new Map<string, FakeLink>();
  readonly pool = new FakePool(this.clock, (id) => this.links.get(id)?.close());
  readonly logger = silentLogger;
  readonly identity: Pick<Identity, 'credentialsFor'> = {
    credentialsFor: () => ({ accessKeyId: 'a', accessKeySecret: 's', securityToken: 't', expiresAt: 0 }),
  };
  readonly quotaChanges = new Emitter<string>();
  readonly quotas = { onChange: (listener: (account: string) => void) => this.quotaChanges.subscribe(listener) };
  readonly dialer: InstanceDialer = { dial: async (address) => this.link(address) };
  dialFails: Error | undefined;
  busyAtConnect: readonly string[] = [];
  /** What the functions do; by default they answer `ok` at once. */
  answer: (call: InstanceCall, instanceId: string) => Promise<InstanceAnswer> = async () => ({
    errorType: undefined,
    payload: Buffer.from('ok'),
  });

  /** An answer after some simulated time. */
  later<T>(ms: number, value: T): Promise<T> {
    return new Promise((resolve) => this.clock.after(ms, () => resolve(value)));
  }

  /** What services are made of. */
  parts() {
    const { pool, dialer, identity, catalog, clock, random, facts, logger, quotas } = this;
    return { pool, dialer, identity, catalog, clock, random, facts, logger, quotas };
  }

  private link(address: InstanceAddress): FakeLink {
    if (this.dialFails !== undefined) throw this.dialFails;
    const id = address.kind === 'frames' ? address.path : address.host;
    const link = new FakeLink((call) => this.answer(call, id));
    link.busyAtConnect = this.busyAtConnect;
    this.links.set(id, link);
    return link;
  }
}
