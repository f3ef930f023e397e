import { Emitter } from '../../core/base/emitter.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import type { CpuReading } from '../../core/domain/cpu-pressure.ts';
import type { InstanceAddress, InstanceExit } from '../../core/domain/instance.ts';
import type { InstanceJournal, InstanceRecord } from '../../core/ports/instance-journal.ts';
import {
  type FoundInstance,
  InstanceStartError,
  type InstanceOutput,
  type InstanceUsage,
  type NodeInfo,
  type NodePool,
  type NodePressure,
  type StartedInstance,
  type StartOrder,
} from '../../core/ports/node-pool.ts';
import type { VersionSpec } from '../../core/domain/version-spec.ts';
import { type ExecListener, ExecRefusedError, type ExecRequest, type ExecSession } from '../../core/ports/exec.ts';
import type { BareSandbox, SandboxHandle } from '../../core/ports/sandbox.ts';
import { newLetters } from '../../core/base/ids.ts';
import { bareKind, makeBare, mayUseBare } from './bare-pool.ts';
import { bootEnvironment } from './environment.ts';
import { Instance, type InstanceParts } from './instance.ts';
import { InstanceOutputBuffer } from './instance-output.ts';
import {
  bootLimits,
  InstanceStart,
  mayUsePool,
  POOL_WEIGHT,
  type InstanceHoldings,
  type StartParts,
} from './instance-start.ts';
import { type BootedRuntime, bootRuntime, CONTROL_EPOCH, firstOf, text } from './runtime-boot.ts';
import { prepareCode } from './prepare-code.ts';
import type { PoolPolicy } from './pool-sizing.ts';
import { RuntimePool } from './runtime-pool.ts';
import { StartGate } from './start-gate.ts';
import { UsageSampler } from './usage-sampler.ts';

export interface NodeServiceOptions extends Omit<StartParts, 'pool' | 'barePool' | 'gate'> {
  readonly nodeId: string;
  readonly zone: string;
  /** CPUs and MB that instances may be promised together. */
  readonly cpu: number;
  readonly memoryMb: number;
  /** MB of the machine that are free right now: promises may exceed the machine, use may not. */
  readonly freeMemoryMb: () => number;
  /** How short of processors the machine is right now; undefined: it cannot tell. */
  readonly cpuReading: () => CpuReading | undefined;
  readonly journal: InstanceJournal;
  readonly log: Logger;
  readonly poolPolicy: PoolPolicy;
  /** The same for sandboxes without a runtime; has no effect where the tier cannot make them. */
  readonly barePolicy: PoolPolicy;
  /** Sandboxes made at the same time. */
  readonly startsAtOnce: number;
  readonly usagePeriodMs: number;
}

/** Free memory below which nothing is started, MB: the machine itself needs some. */
const FREE_RESERVE_MB = 256;
const POOL_MEMORY_MB = 256;
const POOL_MEMBER = { memorySize: POOL_MEMORY_MB, cpu: 1 } as const;
const ADOPT_TIMEOUT_MS = 5_000;
const NO_POOL: PoolPolicy = { depth: 0, always: [], recentMs: 60_000, maxMembers: 0 };

/** The instances of one machine. Call `open` once before anything else. */
export class NodeService implements NodePool {
  private readonly options: NodeServiceOptions;
  private readonly instances = new Map<string, Instance>();
  private readonly exits = new Emitter<InstanceExit>();
  private readonly outputs = new Emitter<InstanceOutput>();
  private readonly usages = new Emitter<InstanceUsage>();
  private readonly pressures = new Emitter<NodePressure>();
  private readonly changes = new Emitter<NodeInfo>();
  private readonly pool: RuntimePool<BootedRuntime>;
  private readonly barePool: RuntimePool<BareSandbox>;
  private readonly parts: StartParts;
  private readonly instanceParts: InstanceParts;
  private readonly sampler: UsageSampler;
  private promisedMb = 0;
  private startsRunning = 0;
  private draining = false;

  constructor(options: NodeServiceOptions) {
    this.options = options;
    const gate = new StartGate(options.startsAtOnce);
    const shared = {
      busy: () => this.startsRunning > 0,
      clock: options.clock,
      random: options.random,
      log: options.log,
      changed: () => this.changes.emit(this.info()),
    };
    this.pool = new RuntimePool({
      ...shared,
      policy: options.poolPolicy,
      boot: (runtime, wanted) => this.bootPooled(runtime, wanted),
    });
    const barePolicy = options.sandboxes.createBare === undefined ? NO_POOL : options.barePolicy;
    this.barePool = new RuntimePool({ ...shared, policy: barePolicy, boot: (kind) => this.bareSandbox(kind) });
    this.parts = { ...options, pool: this.pool, barePool: this.barePool, gate };
    this.instanceParts = {
      nodeId: options.nodeId,
      clock: options.clock,
      random: options.random,
      log: options.log,
      journal: options.journal,
      observer: {
        exited: (exit) => this.exits.emit(exit),
        output: (output) => this.outputs.emit(output),
        gone: (instance) => this.drop(instance),
      },
    };
    this.sampler = new UsageSampler(
      options.clock,
      options.usagePeriodMs,
      () => this.instances.values(),
      (usages) => {
        for (const usage of usages) this.usages.emit(usage);
        const cpu = options.cpuReading();
        if (cpu !== undefined) this.pressures.emit({ nodeId: options.nodeId, cpu });
      },
    );
  }

  /** Takes over what an earlier agent left running, removes its remains, and starts filling the pool. */
  async open(): Promise<void> {
    const records = new Map(this.options.journal.list().map((record) => [record.sandboxId, record]));
    const handles = await this.options.sandboxes.adopt();
    await Promise.all(
      handles.map(async (handle) => {
        const record = records.get(handle.id);
        records.delete(handle.id);
        await this.adopt(handle, record);
      }),
    );
    for (const sandboxId of records.keys()) this.options.journal.remove(sandboxId);
    this.pool.open();
    this.barePool.open();
  }

  nodes(): readonly NodeInfo[] {
    return [this.info()];
  }

  info(): NodeInfo {
    return {
      nodeId: this.options.nodeId,
      zone: this.options.zone,
      cpu: this.options.cpu,
      memoryMb: this.options.memoryMb,
      memoryUsedMb: this.promisedMb,
      instances: this.instances.size,
      pooled: Object.fromEntries(this.pool.ready),
      bare: Object.fromEntries(this.barePool.ready),
    };
  }

  /** Booted runtimes waiting for a function, by runtime id. */
  get pooled(): ReadonlyMap<string, number> {
    return this.pool.ready;
  }

  /** The same instance id again is the same start: its promise, or its result while it lives. */
  async start(order: StartOrder, onAddress?: (address: InstanceAddress) => void): Promise<StartedInstance> {
    const known = this.instances.get(order.instanceId);
    if (known !== undefined) return known.ready;
    this.checkCapacity(order);
    const instance = Instance.starting(this.instanceParts, order, new InstanceStart(this.parts, order, onAddress));
    this.add(instance);
    this.startsRunning++;
    try {
      return await instance.ready;
    } finally {
      this.startsRunning--;
    }
  }

  async stop(instanceId: string): Promise<void> {
    await this.instances.get(instanceId)?.stop();
  }

  async kill(instanceId: string, reason: 'timeout' | 'killed'): Promise<void> {
    await this.instances.get(instanceId)?.kill(reason);
  }

  async freeze(instanceId: string): Promise<void> {
    await this.instances.get(instanceId)?.freeze();
  }

  async thaw(instanceId: string): Promise<void> {
    await this.instances.get(instanceId)?.thaw();
  }

  async shrink(instanceId: string): Promise<void> {
    await this.instances.get(instanceId)?.shrink();
  }

  async exec(instanceId: string, request: ExecRequest, listener: ExecListener): Promise<ExecSession> {
    const instance = this.instances.get(instanceId);
    if (instance === undefined) throw new ExecRefusedError(`there is no instance ${instanceId} here`);
    return instance.exec(request, listener);
  }

  /** Lets everything run: for a server that does not know yet what stands still. */
  async thawAll(): Promise<void> {
    await Promise.all([...this.instances.values()].map((instance) => instance.thaw()));
  }

  async prepare(spec: VersionSpec): Promise<void> {
    const { config } = spec;
    if (mayUsePool(config, this.options.defaultDiskMb)) this.pool.expect(config.runtime);
    else if (mayUseBare(config, this.options.defaultDiskMb)) this.barePool.expect(bareKind(config.runtime));
    await prepareCode(this.options.code, spec);
  }

  async list(): Promise<readonly FoundInstance[]> {
    const found: FoundInstance[] = [];
    for (const instance of this.instances.values()) {
      const started = instance.startedInstance;
      if (started === undefined) continue;
      const { instanceId, nodeId, address, source } = started;
      const own = source === undefined ? {} : { source };
      found.push({ instanceId, nodeId, spec: instance.order.spec, address, ...own });
    }
    return found;
  }

  sourceOf(instanceId: string): string | undefined {
    return this.instances.get(instanceId)?.startedInstance?.source;
  }

  onExit(listener: (exit: InstanceExit) => void): Disposable {
    return this.exits.subscribe(listener);
  }

  onOutput(listener: (output: InstanceOutput) => void): Disposable {
    return this.outputs.subscribe(listener);
  }

  onUsage(listener: (usage: InstanceUsage) => void): Disposable {
    return this.usages.subscribe(listener);
  }

  onPressure(listener: (pressure: NodePressure) => void): Disposable {
    return this.pressures.subscribe(listener);
  }

  /** The pool has changed; what instances do is told by starts and exits. */
  onChange(listener: (node: NodeInfo) => void): Disposable {
    return this.changes.subscribe(listener);
  }

  /** One machine, there from the beginning: the listener hears of it at once. */
  onNodeUp(listener: (node: NodeInfo) => void): Disposable {
    listener(this.info());
    return { dispose() {} };
  }

  /** Ends every instance in order (pre-stop hooks run) and everything that waits in the pool; starts are refused from now on. */
  async drain(): Promise<void> {
    this.draining = true;
    const instances = [...this.instances.values()];
    await Promise.all([this.pool.close(), this.barePool.close(), ...instances.map((instance) => instance.stop())]);
    this.sampler.dispose();
  }

  /** Lets instances live on for the next agent; the pool does not. */
  async close(): Promise<void> {
    this.draining = true;
    this.sampler.dispose();
    await Promise.all([this.pool.close(), this.barePool.close()]);
  }

  private add(instance: Instance): void {
    this.instances.set(instance.id, instance);
    this.promisedMb += instance.order.spec.config.memorySize;
  }

  private drop(instance: Instance): void {
    if (this.instances.delete(instance.id)) this.promisedMb -= instance.order.spec.config.memorySize;
  }

  private checkCapacity(order: StartOrder): void {
    const wanted = order.spec.config.memorySize;
    const { memoryMb } = this.options;
    if (this.draining) throw refused('platform', 'the node is shutting down');
    if (this.promisedMb + wanted > memoryMb) {
      throw refused(
        'no-capacity',
        `the machine has no room for another instance of ${wanted} MB: ${this.promisedMb} of ${memoryMb} MB are promised`,
      );
    }
    const free = this.options.freeMemoryMb();
    if (free >= FREE_RESERVE_MB) return;
    this.pool.drop();
    this.barePool.drop();
    throw refused('no-capacity', `the machine has no room for another instance: only ${free} MB of memory are free`);
  }

  private async bootPooled(runtime: string, wanted: Promise<void>): Promise<BootedRuntime> {
    const launch = this.options.launch(runtime);
    if (launch === undefined) throw new Error(`this machine does not have the runtime ${runtime}`);
    if (this.options.freeMemoryMb() < FREE_RESERVE_MB + POOL_MEMORY_MB) throw new Error('too little memory is free');
    const spec = {
      id: newLetters(this.options.random, 12),
      process: { args: launch.args, env: { ...bootEnvironment(runtime, launch.env), TIDEMILL_POOLED: '1' }, cwd: '/' },
      boot: launch.boot,
      limits: bootLimits(POOL_MEMBER, POOL_WEIGHT),
      diskMb: this.options.defaultDiskMb,
      listen: 'frames',
      internetAccess: true,
      mounts: [],
    } as const;
    return bootRuntime(this.options, spec, (handle) => {
      // A start waits for it: from now on it is as urgent as any other. One that has just ended tells so by its boot.
      void wanted.then(() => handle.setLimits(bootLimits(POOL_MEMBER))).catch(() => undefined);
    });
  }

  private async bareSandbox(kind: string): Promise<BareSandbox> {
    if (this.options.freeMemoryMb() < FREE_RESERVE_MB + POOL_MEMORY_MB) throw new Error('too little memory is free');
    return makeBare(this.options, kind, {
      id: newLetters(this.options.random, 12),
      limits: bootLimits(POOL_MEMBER, POOL_WEIGHT),
      diskMb: this.options.defaultDiskMb,
    });
  }

  private async adopt(handle: SandboxHandle, record: InstanceRecord | undefined): Promise<void> {
    if (record === undefined) {
      await this.remove(handle, 'it was half started, or waited in the pool');
      return;
    }
    // Whatever it was asked last: this agent dials it now, and the servers learn that it runs.
    await handle.thaw();
    try {
      const instance = Instance.adopted(
        this.instanceParts,
        record.order,
        await this.holdingsOf(handle, record),
        record.started,
      );
      this.add(instance);
    } catch (error) {
      this.options.journal.remove(handle.id);
      await this.remove(handle, text(error));
    }
  }

  private async holdingsOf(handle: SandboxHandle, record: InstanceRecord): Promise<InstanceHoldings> {
    const { spec } = record.order;
    const output = new InstanceOutputBuffer();
    output.started();
    handle.onOutput((chunk) => output.push(chunk));
    const dialling = this.options.dialer.dial(record.address, CONTROL_EPOCH, spec);
    const control = await firstOf(this.options.clock, dialling, handle, ADOPT_TIMEOUT_MS);
    control.onOutput((chunk) => output.push(Buffer.from(chunk)));
    const wanted = [this.options.code.package(spec.code)];
    if (spec.layers.length > 0) wanted.push(this.options.code.layers(spec.layers.map((layer) => layer.code)));
    // It has its folders mounted already: holding them only keeps them off the eviction list.
    const folders = (await Promise.allSettled(wanted)).flatMap((held) =>
      held.status === 'fulfilled' ? [held.value] : [],
    );
    return { handle, control, output, folders };
  }

  private async remove(handle: SandboxHandle, why: string): Promise<void> {
    this.options.log.log('info', 'a sandbox of an earlier agent is removed', { sandboxId: handle.id, why });
    try {
      await handle.destroy();
    } catch (error) {
      this.options.log.log('error', 'a sandbox could not be removed', { sandboxId: handle.id, error: text(error) });
    }
  }
}

function refused(kind: 'no-capacity' | 'platform', message: string): InstanceStartError {
  return new InstanceStartError({ kind, message, startLog: '' });
}
