import type { InvocationTimings } from '../domain/invocation.ts';
import type { InstanceLink } from './instance-link.ts';
import type { CallSession } from './sessions.ts';
import type { VersionSpec } from '../domain/version-spec.ts';

/** The right to send one call to an instance. Release exactly once. */
export interface Lease {
  readonly instanceId: string;
  readonly link: InstanceLink;
  readonly epoch: number;
  /** Queue and cold-start phases of this lease; `handlerMs` is 0. */
  readonly timings: InvocationTimings;
  /** Output of the start that this lease waited for; empty for a warm one. */
  readonly startLog: string;
  /** The instance runs another call: this one waits behind it, for calls of this version are very short. */
  readonly behind?: boolean;
  /** Set for calls of functions with session affinity. */
  readonly session?: CallSession;
  /**
   * Gives the slot back. `ok`: reuse the instance. `broken`: its link failed, it is going away. `timeout`, `kill`: the call
   * ran out of time, or its caller left while it ran: the instance must be replaced (other calls on it finish first). `stop`:
   * the same, in order: its pre-stop hook runs. `quick`: ok, and very short. `unbegun`: it waited behind another call and was
   * taken back.
   */
  release(outcome: 'ok' | 'quick' | 'unbegun' | 'broken' | 'kill' | 'timeout' | 'stop'): void;
}

export type InstancePause = 'runs' | 'frozen' | 'shrunk';

/** How many instances there are of each kind, and the memory they were last seen with, bytes. */
export type PauseCounts = Readonly<Record<InstancePause, { readonly instances: number; readonly memoryBytes: number }>>;

export interface InstanceView {
  readonly instanceId: string;
  readonly versionKey: string;
  readonly account: string;
  readonly functionName: string;
  readonly versionId: string;
  readonly state: 'starting' | 'ready' | 'draining';
  readonly inFlight: number;
  /** Kept ready by a provision or scaling config. */
  readonly reserved?: boolean;
  readonly createdAt: number;
  /** Peak memory, MB. */
  readonly memoryMb: number;
  /** Whether it runs, stands still until its next call, or stands still with its memory given back. */
  readonly pause?: InstancePause;
  /** Memory when it was last looked at, MB. */
  readonly memoryNowMb?: number;
}

/** For those who know of calls before they come (timers). */
export interface CallForecast {
  /** A call of this version is due at `at` (wall clock, milliseconds): an instance is to be ready then, if there is room. */
  expectAt(spec: VersionSpec, at: number): void;
}

/** Hands out leases: a free slot at once, or a place in the version's queue. */
/** Waiting and running calls, instances, and their memory. */
export interface AccountLoad {
  readonly calls: number;
  readonly instances: number;
  readonly memoryMb: number;
}

export interface Scheduling {
  /**
   * Rejects with InstanceStartError when the start this call waited for failed, with TidemillError (ResourceExhausted,
   * ResourceThrottled) when a limit forbids waiting, or with the signal's reason.
   */
  acquire(spec: VersionSpec, requestId: string, signal: AbortSignal): Promise<Lease>;
  /** The warm path: a lease when a slot is free this instant, without a promise; undefined = use `acquire`. */
  acquireNow(spec: VersionSpec, requestId: string): Lease | undefined;
  /** A lease on this very instance, when it has a free slot this instant. */
  hold(instanceId: string): Lease | undefined;
  /**
   * How many more calls of this version would be let in right now, new instances included; 0 = the next would be refused.
   * For those who can hold work back (async events) instead of having it refused.
   */
  room(spec: VersionSpec): number;
  /** How many more calls of this version could run right now without a new instance. */
  freeSlots(versionKey: string): number;
  instances(account: string, functionName: string): readonly InstanceView[];
  pauses(): PauseCounts;
  /**
   * Resolves when a call that an earlier server began has ended; undefined: none of this id runs on an instance that was found.
   * Custom runtimes cannot say what they work on: instances of the function that were found are removed, and with them the call.
   */
  earlierCall(requestId: string, account: string, functionName: string): Promise<void> | undefined;
  /** What the account uses this moment of what quotas bound. */
  usage(account: string): AccountLoad;
  /** Stops giving new calls to instances of this version; they end when idle. */
  retire(versionKey: string): void;
}
