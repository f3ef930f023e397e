import type { Disposable } from '../base/disposable.ts';
import type { CpuReading } from '../domain/cpu-pressure.ts';
import type { TemporaryCredentials } from '../domain/credentials.ts';
import type { InstanceAddress, InstanceExit, StartTimings } from '../domain/instance.ts';
import type { VersionSpec } from '../domain/version-spec.ts';
import type { ExecListener, ExecRequest, ExecSession } from './exec.ts';

export interface NodeInfo {
  readonly nodeId: string;
  readonly zone: string;
  readonly cpu: number;
  readonly memoryMb: number;
  /** MB promised to running instances. */
  readonly memoryUsedMb: number;
  readonly instances: number;
  /** What waits in the node's pool, booted, by runtime id. */
  readonly pooled?: Readonly<Record<string, number>>;
  /** Sandboxes that wait for a runtime of this kind: a runtime id, or `custom` for all custom ones. */
  readonly bare?: Readonly<Record<string, number>>;
}

export interface StartOrder {
  readonly instanceId: string;
  readonly spec: VersionSpec;
  /** The request that caused the start: initializer log lines carry it. */
  readonly requestId: string;
  readonly credentials: TemporaryCredentials;
  /** The node that placement chose; a pool of one node has no choice. Absent: any. */
  readonly nodeId?: string;
}

export interface StartedInstance {
  readonly instanceId: string;
  readonly nodeId: string;
  readonly address: InstanceAddress;
  /** The network address that connections of the instance come from; absent: it shares one with others. */
  readonly source?: string;
  readonly timings: StartTimings;
  /** What the instance wrote while loading and initializing, at most 64 KB. */
  readonly startLog: string;
}

/** An instance found running after a restart of the server or agent. */
export interface FoundInstance {
  readonly instanceId: string;
  readonly nodeId: string;
  readonly spec: VersionSpec;
  readonly address: InstanceAddress;
  /** See StartedInstance. */
  readonly source?: string;
}

export interface InstanceOutput {
  readonly instanceId: string;
  /** Whole lines, no trailing newline. */
  readonly text: string;
  readonly at: number;
}

export interface InstanceUsage {
  readonly instanceId: string;
  /** Peak since start, bytes. */
  readonly memoryPeakBytes: number;
  readonly memoryBytes: number;
  /** CPU time since start, microseconds. */
  readonly cpuMicros: number;
}

/** How short of processors a node was when it looked; about once a second while it holds instances. */
export interface NodePressure {
  readonly nodeId: string;
  readonly cpu: CpuReading;
}

/** A start that failed for a reason the function's owner can act on: carries the field's error for the caller. */
export interface StartFailure {
  /** `InitializationError` answers 200 with an error payload; the others are TidemillErrors for the door. */
  readonly kind: 'initialization' | 'load' | 'not-started' | 'exited' | 'no-capacity' | 'platform';
  readonly message: string;
  /** For `initialization` and `load`: the payload `{errorMessage, errorType, stackTrace}` the runtime gave. */
  readonly payload?: string;
  readonly startLog: string;
}

export class InstanceStartError extends Error {
  override readonly name = 'InstanceStartError';
  readonly failure: StartFailure;
  constructor(failure: StartFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/**
 * The machines that hold instances, as the server sees them. Promises: `start` resolves once the instance can take calls
 * (loaded and initialized) or rejects with InstanceStartError, leaving nothing behind; every instance that was started or
 * found ends in exactly one `onExit`; calls outlive a restart of the agent (they wait for it, bounded).
 */
export interface NodePool {
  nodes(): readonly NodeInfo[];
  /**
   * `onAddress` may be told where the instance will answer while it still loads, so that the caller can connect meanwhile;
   * the address of the resolved instance is the one that counts.
   */
  start(order: StartOrder, onAddress?: (address: InstanceAddress) => void): Promise<StartedInstance>;
  /** Runs the pre-stop hook (its own deadline), then removes the instance. Idempotent. */
  stop(instanceId: string): Promise<void>;
  /** Removes the instance now; `reason` shows in its exit. Idempotent. */
  kill(instanceId: string, reason: 'timeout' | 'killed'): Promise<void>;
  list(): Promise<readonly FoundInstance[]>;
  /** The network address that connections of a running instance come from; undefined: unknown, or shared with others. */
  sourceOf(instanceId: string): string | undefined;
  /**
   * Stops an instance that has no call: it is charged no CPU and its timers stand still (FC reference 7). Calls of freeze and
   * thaw act in the order in which they are made. `stop` and `kill` thaw by themselves, and so does a node that is up again.
   * Unknown instances: nothing happens.
   */
  freeze(instanceId: string): Promise<void>;
  /** Lets it run on; a call may be sent meanwhile. Unknown instances: nothing happens. */
  thaw(instanceId: string): Promise<void>;
  /** Lets the runtime give back what it does not need, then freezes and takes away what can be read again. `thaw` ends it. */
  shrink(instanceId: string): Promise<void>;
  /**
   * Runs a command inside a running instance, which is not frozen while the session is open. Rejects when there is no such
   * instance, or it cannot be tried. The session ends with the instance, the agent, or the server that asked for it.
   */
  exec(instanceId: string, request: ExecRequest, listener: ExecListener): Promise<ExecSession>;
  /** Makes the code of a version ready on the nodes, so that its first start need not. A hint: failures are told by the start. */
  prepare(spec: VersionSpec): Promise<void>;
  onExit(listener: (exit: InstanceExit) => void): Disposable;
  onOutput(listener: (output: InstanceOutput) => void): Disposable;
  onUsage(listener: (usage: InstanceUsage) => void): Disposable;
  /** Not all nodes can tell; who stops telling is not under pressure. */
  onPressure(listener: (pressure: NodePressure) => void): Disposable;
  /** A node (re)appeared: the scheduler lists and adopts what it holds. */
  onNodeUp(listener: (node: NodeInfo) => void): Disposable;
  close(): Promise<void>;
}
