import type { Clock } from '../../core/base/clock.ts';
import { newLetters } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import type { FunctionConfig } from '../../core/domain/function.ts';
import type { InstanceAddress, StartTimings } from '../../core/domain/instance.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import type { CodeCache, CodeFolder } from '../../core/ports/code-cache.ts';
import { LinkBrokenError } from '../../core/ports/instance-link.ts';
import type { StartOrder } from '../../core/ports/node-pool.ts';
import {
  type RuntimeControl,
  type RuntimeControlDialer,
  RuntimeTimeoutError,
} from '../../core/ports/runtime-control.ts';
import type {
  BareSandbox,
  SandboxHandle,
  SandboxLimits,
  SandboxMount,
  SandboxProcess,
  SandboxSpec,
  SandboxRuntime,
} from '../../core/ports/sandbox.ts';
import {
  bootEnvironment,
  bootTimeVariables,
  type InsideEndpoints,
  instanceEnvironment,
  type Places,
  USUAL_PLACES,
} from './environment.ts';
import { firstHealth } from './health-check.ts';
import { hookMarks } from './hook-marks.ts';
import { InstanceOutputBuffer } from './instance-output.ts';
import type { LaunchTable, RuntimeLaunch } from './launch.ts';
import { hasInitializer, loadFrame, loadSeconds, requestCredentials } from './load-frame.ts';
import { bareKind, mayUseBare } from './bare-pool.ts';
import {
  BootFailedError,
  type BootedRuntime,
  bootInBare,
  bootRuntime,
  CONTROL_EPOCH,
  exitSoon,
  text,
} from './runtime-boot.ts';
import type { RuntimePool } from './runtime-pool.ts';
import type { StartGate } from './start-gate.ts';
import * as failure from './start-failure.ts';

export interface StartParts {
  readonly sandboxes: SandboxRuntime;
  readonly dialer: RuntimeControlDialer;
  readonly code: CodeCache;
  readonly launch: LaunchTable;
  readonly pool: RuntimePool<BootedRuntime>;
  /** Sandboxes for starts that cannot use `pool`, by `bareKind`. */
  readonly barePool: RuntimePool<BareSandbox>;
  readonly gate: StartGate;
  readonly clock: Clock;
  readonly random: Random;
  readonly region: string;
  readonly endpoints: InsideEndpoints;
  readonly defaultDiskMb: number;
}

/** What an instance holds on this machine; filled while it starts, given back when it ends, however far it came. */
export interface InstanceHoldings {
  handle?: SandboxHandle;
  control?: RuntimeControl;
  output: InstanceOutputBuffer;
  readonly folders: CodeFolder[];
}

export interface StartResult {
  readonly address: InstanceAddress;
  readonly timings: StartTimings;
}

type Step = 'load' | 'initialization';

/** A pooled runtime serves a function only when nothing about the function had to be known at boot. */
export function mayUsePool(config: FunctionConfig, defaultDiskMb: number): boolean {
  return (
    !isCustomRuntime(config.runtime) &&
    config.diskSize === defaultDiskMb &&
    config.customDns === undefined &&
    Object.keys(bootTimeVariables(config)).length === 0
  );
}

export function instanceLimits(config: FunctionConfig): SandboxLimits {
  return { memoryMb: config.memorySize, cpu: config.cpu, pids: LIMITS.pidsPerInstance };
}

/** Starting is less urgent than calls that run, on busy processors: a quarter of what those get. */
export const START_WEIGHT = 0.25;
/** What boots for the pool is waited for by nobody. */
export const POOL_WEIGHT = 0.05;

/**
 * The limits of a start: a full CPU, so that a small function does not start slowly, at less weight than calls. What is
 * ready gets its own.
 */
export function bootLimits(
  config: Pick<FunctionConfig, 'memorySize' | 'cpu'>,
  cpuWeight: number = START_WEIGHT,
): SandboxLimits {
  return { memoryMb: config.memorySize, cpu: Math.max(1, config.cpu), pids: LIMITS.pidsPerInstance, cpuWeight };
}

/**
 * One start, from order to an instance that takes calls. `run` settles once; what was acquired by then stays in `holdings`
 * for the owner to give back, also after a failure. Rejects with StartFailedError.
 */
export class InstanceStart {
  readonly holdings: InstanceHoldings = { output: new InstanceOutputBuffer(), folders: [] };
  private readonly parts: StartParts;
  private readonly order: StartOrder;
  private readonly onAddress: ((address: InstanceAddress) => void) | undefined;
  private readonly aborter = new AbortController();

  /** `onAddress`: told before the function is loaded, when it is known where the instance will answer. */
  constructor(parts: StartParts, order: StartOrder, onAddress?: (address: InstanceAddress) => void) {
    this.parts = parts;
    this.order = order;
    this.onAddress = onAddress;
  }

  /** Gives up at the next step; harmless when the start is over. */
  abort(): void {
    this.aborter.abort();
  }

  async run(): Promise<StartResult> {
    const { config } = this.order.spec;
    const launch = this.parts.launch(config.runtime);
    if (launch === undefined) throw failure.platformFailure(`this machine does not have the runtime ${config.runtime}`);
    return isCustomRuntime(config.runtime) ? this.startCustom(launch) : this.startBuiltIn(launch);
  }

  // ---- built-in runtimes

  private async startBuiltIn(launch: RuntimeLaunch): Promise<StartResult> {
    const { clock } = this.parts;
    const begin = clock.monotonic();
    const pooled = mayUsePool(this.order.spec.config, this.parts.defaultDiskMb)
      ? this.parts.pool.take(this.order.spec.config.runtime)
      : undefined;
    const [mounts, first] = await Promise.allSettled([this.prepareCode(), this.runtime(pooled, launch)]);
    if (first.status === 'fulfilled') this.keep(first.value.booted);
    if (mounts.status === 'rejected') throw this.codeFailure(mounts.reason);
    if (first.status === 'rejected') throw first.reason;
    this.checkAborted();
    const prepared = clock.monotonic();
    const { booted, from } = await this.specialise(first.value, mounts.value, launch);
    const specialised = clock.monotonic();
    const address: InstanceAddress = { kind: 'frames', path: booted.handle.socketPath ?? '' };
    const loading = this.load(booted.control, launch);
    this.onAddress?.(address);
    await loading;
    const loaded = clock.monotonic();
    await this.initialize(booted.control);
    await this.narrow(booted.handle);
    const ready = clock.monotonic();
    const bootMs = from === 'pool' ? 0 : booted.sandboxMs + booted.runtimeMs;
    const timings: StartTimings = {
      sandboxMs: specialised - prepared + (from === 'pool' ? 0 : booted.sandboxMs),
      runtimeMs: from === 'pool' ? 0 : booted.runtimeMs,
      codeMs: Math.max(0, prepared - begin - bootMs) + loaded - specialised,
      initializerMs: ready - loaded,
      from,
    };
    return { address, timings };
  }

  private keep(booted: BootedRuntime): void {
    this.holdings.handle = booted.handle;
    this.holdings.control = booted.control;
    this.holdings.output = booted.output;
  }

  private async runtime(
    pooled: Promise<BootedRuntime> | undefined,
    launch: RuntimeLaunch,
  ): Promise<{ booted: BootedRuntime; from: StartTimings['from'] }> {
    if (pooled !== undefined) {
      try {
        return { booted: await pooled, from: 'pool' };
      } catch {
        // The pool reports its own failures; this start makes a runtime of its own.
      }
    }
    const bare = await this.takeBare();
    if (bare !== undefined) {
      try {
        return { booted: await bootInBare(this.parts, bare, this.ownProcess(launch)), from: 'bare' };
      } catch {
        // It died while it waited, or the runtime cannot boot: a sandbox of its own tells which.
      }
    }
    return { booted: await this.bootOwn(launch), from: 'scratch' };
  }

  /** A sandbox made ahead, when there is one that fits. */
  private async takeBare(): Promise<BareSandbox | undefined> {
    const { config } = this.order.spec;
    if (!mayUseBare(config, this.parts.defaultDiskMb)) return undefined;
    try {
      return await this.parts.barePool.take(bareKind(config.runtime));
    } catch {
      return undefined; // The pool reports its own failures.
    }
  }

  private ownProcess(launch: RuntimeLaunch): SandboxProcess {
    const { config } = this.order.spec;
    const env = { ...bootEnvironment(config.runtime, launch.env), ...bootTimeVariables(config) };
    return { args: launch.args, env, cwd: '/' };
  }

  private async bootOwn(launch: RuntimeLaunch): Promise<BootedRuntime> {
    const { config } = this.order.spec;
    try {
      const spec: SandboxSpec = {
        id: newLetters(this.parts.random, 12),
        process: this.ownProcess(launch),
        boot: launch.boot,
        limits: bootLimits(config),
        diskMb: config.diskSize,
        listen: 'frames',
        internetAccess: true,
        ...(config.customDns && { dns: config.customDns }),
        mounts: [],
      };
      return await this.whenItsTurn(() => bootRuntime(this.parts, spec, (handle) => this.killOnAbort(handle)));
    } catch (error) {
      this.checkAborted();
      if (error instanceof BootFailedError && error.exit !== undefined) {
        throw failure.exitedEarly(error.exit, launch.args, error.lastOutput);
      }
      throw failure.platformFailure(text(error));
    }
  }

  /** Makes a sandbox when it is this start's turn. One that was given up meanwhile makes none: there may be many behind it. */
  private whenItsTurn<T>(make: () => Promise<T>): Promise<T> {
    return this.parts.gate.run(() => {
      this.checkAborted();
      return make();
    });
  }

  /** Nobody waits any more for the runtime of a start that is given up: it need not boot to its end. */
  private killOnAbort(handle: SandboxHandle): void {
    const { signal } = this.aborter;
    const kill = (): void => void handle.kill('killed').catch(() => undefined);
    if (signal.aborted) kill();
    else signal.addEventListener('abort', kill, { once: true });
  }

  /** Shows the code inside. A pooled runtime that died while it waited is replaced by a new one, once. */
  private async specialise(
    first: { booted: BootedRuntime; from: StartTimings['from'] },
    mounts: readonly SandboxMount[],
    launch: RuntimeLaunch,
  ): Promise<{ booted: BootedRuntime; from: StartTimings['from'] }> {
    const { config, account } = this.order.spec;
    // The CPU it booted with, until it is ready: loading is no work of the function's own.
    const options = { mounts, limits: bootLimits(config), internetAccess: config.internetAccess, account };
    const withDns = config.customDns === undefined ? options : { ...options, dns: config.customDns };
    try {
      await first.booted.handle.specialise(withDns);
      return first;
    } catch (error) {
      if (first.from !== 'pool') throw failure.platformFailure(`the sandbox could not be prepared: ${text(error)}`);
    }
    first.booted.control.close();
    await first.booted.handle.destroy();
    const booted = await this.bootOwn(launch);
    this.keep(booted);
    return this.specialise({ booted, from: 'scratch' }, mounts, launch);
  }

  private async load(control: RuntimeControl, launch: RuntimeLaunch): Promise<void> {
    const frame = loadFrame(this.order, this.parts.region, this.places().code, this.environment(launch));
    const seconds = loadSeconds(this.order.spec.config);
    const loaded = await this.step('load', seconds, () => control.load(frame, seconds * 1000));
    if (!loaded.ok) {
      throw failure.loadFailed(
        loaded.error ?? { errorMessage: 'the code could not be loaded', errorType: 'Error', stackTrace: [] },
      );
    }
  }

  // ---- custom runtimes

  private async startCustom(launch: RuntimeLaunch): Promise<StartResult> {
    const { clock } = this.parts;
    const custom = this.order.spec.config.customRuntimeConfig ?? { command: [], args: [], port: 9000 };
    const command = failure.startCommand(custom);
    const begin = clock.monotonic();
    const mounts = await this.prepareCode().catch((error: unknown) => {
      throw this.codeFailure(error);
    });
    await this.checkStartFile(command);
    const prepared = clock.monotonic();
    this.checkAborted();
    const bare = await this.beginCustom(command, mounts, launch);
    const handle = bare ?? (await this.createCustom(command, mounts, launch));
    this.holdings.handle = handle;
    handle.onOutput((chunk) => this.holdings.output.push(chunk));
    const created = clock.monotonic();
    const address = { kind: 'http', host: handle.host ?? '', port: custom.port } as const;
    const control = await this.parts.dialer.dial(address, CONTROL_EPOCH, this.order.spec);
    this.holdings.control = control;
    await this.waitForPort(control, handle, custom.port, command, launch);
    const listening = clock.monotonic();
    await this.initialize(control);
    const initialized = clock.monotonic();
    if (custom.healthCheckConfig !== undefined) {
      const check = custom.healthCheckConfig;
      const problem = await this.guard(firstHealth(control, check, clock, this.aborter.signal)).catch(
        (error: unknown) => this.endedInStep('initialization', initialized, error),
      );
      if (problem !== undefined) throw failure.unhealthy(problem);
    }
    await this.narrow(handle);
    const timings: StartTimings = {
      sandboxMs: created - prepared,
      runtimeMs: listening - created + (clock.monotonic() - initialized),
      codeMs: prepared - begin,
      initializerMs: initialized - listening,
      from: bare === undefined ? 'scratch' : 'bare',
    };
    return { address, timings };
  }

  private customProcess(command: readonly string[], launch: RuntimeLaunch): SandboxProcess {
    // The shell reports a command that cannot be run in the instance's own log, then is gone.
    return { args: ['/bin/sh', '-c', 'exec "$0" "$@"', ...command], env: this.environment(launch), cwd: '/code' };
  }

  /** Starts the command in a sandbox made ahead; undefined when there is none, or it died while it waited. */
  private async beginCustom(
    command: readonly string[],
    mounts: readonly SandboxMount[],
    launch: RuntimeLaunch,
  ): Promise<SandboxHandle | undefined> {
    const { config } = this.order.spec;
    const bare = await this.takeBare();
    if (bare === undefined) return undefined;
    const dns = config.customDns === undefined ? {} : { dns: config.customDns };
    try {
      const { internetAccess } = config;
      const { account } = this.order.spec;
      await bare.handle.specialise({ mounts, limits: bootLimits(config), internetAccess, account, ...dns });
      await bare.begin(this.customProcess(command, launch));
      return bare.handle;
    } catch {
      await bare.handle.destroy();
      return undefined;
    }
  }

  private async createCustom(
    command: readonly string[],
    mounts: readonly SandboxMount[],
    launch: RuntimeLaunch,
  ): Promise<SandboxHandle> {
    const { config } = this.order.spec;
    try {
      return await this.whenItsTurn(() =>
        this.parts.sandboxes.create({
          id: newLetters(this.parts.random, 12),
          process: this.customProcess(command, launch),
          boot: launch.boot,
          limits: bootLimits(config),
          diskMb: config.diskSize,
          listen: 'http',
          internetAccess: config.internetAccess,
          account: this.order.spec.account,
          ...(config.customDns && { dns: config.customDns }),
          mounts,
        }),
      );
    } catch (error) {
      throw failure.platformFailure(`the sandbox could not be made: ${text(error)}`);
    }
  }

  /** Start files of the package are looked at before a sandbox is spent on them. */
  private async checkStartFile(command: readonly [string, ...string[]]): Promise<void> {
    const [program] = command;
    const code = this.holdings.folders[0];
    const relative = /^(?:\/code\/|\.\/)(.+)$/.exec(program)?.[1];
    if (relative === undefined || code === undefined) return;
    const kind = await code.look(relative);
    if (kind === 'missing') throw failure.missingStartFile(`/code/${relative}`);
    if (kind !== 'executable') throw failure.notExecutable(command);
  }

  private async waitForPort(
    control: RuntimeControl,
    handle: SandboxHandle,
    port: number,
    command: readonly string[],
    launch: RuntimeLaunch,
  ): Promise<void> {
    const frame = loadFrame(this.order, this.parts.region, this.places().code, this.environment(launch));
    try {
      await this.guard(control.load(frame, LIMITS.customStartSeconds * 1000));
    } catch (error) {
      if (error instanceof failure.StartFailedError) throw error;
      const logs = () => this.holdings.output.lastOutput();
      if (error instanceof RuntimeTimeoutError) throw failure.portNotReached(port, logs());
      const exit = await exitSoon(this.parts.clock, handle);
      if (exit !== undefined) throw failure.exitedEarly(exit, command, logs());
      throw failure.platformFailure(text(error));
    }
  }

  // ---- shared

  private async prepareCode(): Promise<readonly SandboxMount[]> {
    const { code, layers } = this.order.spec;
    const wanted = [this.parts.code.package(code)];
    if (layers.length > 0) wanted.push(this.parts.code.layers(layers.map((layer) => layer.code)));
    const results = await Promise.allSettled(wanted);
    for (const result of results) if (result.status === 'fulfilled') this.holdings.folders.push(result.value);
    const broken = results.find((result) => result.status === 'rejected');
    if (broken !== undefined) throw broken.reason;
    const targets = ['/code', '/opt'] as const;
    return this.holdings.folders.map((folder, index) => ({ source: folder.path, target: targets[index] ?? '/opt' }));
  }

  private codeFailure(error: unknown): failure.StartFailedError {
    return failure.platformFailure(`the code could not be prepared: ${text(error)}`);
  }

  /** From the CPU and the weight of a start to the function's own. */
  private async narrow(handle: SandboxHandle): Promise<void> {
    const { config } = this.order.spec;
    try {
      await handle.setLimits(instanceLimits(config));
    } catch (error) {
      throw failure.platformFailure(`the CPU share could not be set: ${text(error)}`);
    }
  }

  private environment(launch: RuntimeLaunch): Readonly<Record<string, string>> {
    const { region, endpoints } = this.parts;
    return instanceEnvironment(this.order, launch.env, { region, endpoints, places: this.places() });
  }

  /** Plain processes see the host's own folders: nothing can be shown elsewhere to them. */
  private places(): Places {
    if (this.parts.sandboxes.tier !== 'process') return USUAL_PLACES;
    const [code, opt] = this.holdings.folders;
    return { code: code?.path ?? USUAL_PLACES.code, opt: opt?.path ?? USUAL_PLACES.opt };
  }

  private async initialize(control: RuntimeControl): Promise<void> {
    if (!hasInitializer(this.order)) return;
    const seconds = this.order.spec.config.initializer?.timeout ?? LIMITS.timeoutDefaultSeconds;
    const credentials = requestCredentials(this.order);
    const request = { requestId: this.order.requestId, ...(credentials && { credentials }) };
    const marks = hookMarks('Initialize', this.order, this.order.requestId, this.holdings.output);
    marks.begin();
    let answer: Awaited<ReturnType<RuntimeControl['initialize']>>;
    try {
      answer = await this.step('initialization', seconds, () => control.initialize(request, seconds * 1000));
    } catch (error) {
      marks.end(text(error));
      throw error;
    }
    marks.end(answer.ok ? undefined : (answer.error?.errorMessage ?? 'the initializer failed'));
    if (answer.ok) return;
    const errorMessage = `the initializer failed${answer.status === undefined ? '' : ` with status code: ${answer.status}`}`;
    throw failure.initializationFailed(
      answer.error ?? { errorMessage, errorType: 'InitializationError', stackTrace: [] },
    );
  }

  /** Runs one life-cycle step of the runtime; whatever goes wrong becomes a StartFailedError. */
  private async step<T>(step: Step, seconds: number, run: () => Promise<T>): Promise<T> {
    const begin = this.parts.clock.monotonic();
    try {
      return await this.guard(run());
    } catch (error) {
      if (error instanceof RuntimeTimeoutError) throw failure.timedOut(step, seconds, await this.peakBytes());
      return this.endedInStep(step, begin, error);
    }
  }

  private async endedInStep(step: Step, begin: number, error: unknown): Promise<never> {
    const { handle } = this.holdings;
    if (error instanceof LinkBrokenError && handle !== undefined) {
      const durationMs = this.parts.clock.monotonic() - begin;
      const exit = await exitSoon(this.parts.clock, handle);
      if (exit !== undefined) throw failure.exitedDuring(step, exit, durationMs, await this.peakBytes());
    }
    throw error instanceof failure.StartFailedError ? error : failure.platformFailure(text(error));
  }

  private async peakBytes(): Promise<number> {
    return (
      this.holdings.handle?.stats().then(
        (stats) => stats.memoryPeakBytes,
        () => 0,
      ) ?? 0
    );
  }

  /** `work`, unless the process ends (LinkBrokenError) or the start is aborted (StartFailedError) before it. */
  private guard<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      work.then(resolve, reject);
      void this.holdings.handle?.exited.then(() => reject(new LinkBrokenError('the process ended')));
      const { signal } = this.aborter;
      const aborted = () => reject(cancelled());
      if (signal.aborted) aborted();
      else signal.addEventListener('abort', aborted, { once: true });
    });
  }

  private checkAborted(): void {
    if (this.aborter.signal.aborted) throw cancelled();
  }
}

function cancelled(): failure.StartFailedError {
  return failure.platformFailure('the start was cancelled');
}
