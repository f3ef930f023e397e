import type { CancelSignal } from '../base/cancel-signal.ts';
import type { Principal } from '../domain/credentials.ts';
import type { FunctionErrorType, HttpCall, HttpReply, InvocationTimings } from '../domain/invocation.ts';
import type { Lineage } from '../domain/lineage.ts';
import type { VersionSpec } from '../domain/version-spec.ts';
import type { CallSession } from './sessions.ts';

/** What a qualifier was resolved to, for one invocation (an alias picks a version by weight each time). */
export interface Target {
  readonly spec: VersionSpec;
  /** As asked for: `LATEST`, a version number or an alias name. */
  readonly qualifier: string;
}

export interface InvokeCommand {
  readonly requestId: string;
  readonly target: Target;
  readonly caller: Principal | 'anonymous' | 'trigger';
  readonly input:
    | { readonly kind: 'event'; readonly payload: Uint8Array }
    | { readonly kind: 'http'; readonly call: HttpCall };
  /** Collect the last 4 KB of log for the answer. */
  readonly logTail: boolean;
  /** Aborted when the caller disconnects: a queued call leaves the queue, a running one frees its slot. */
  readonly signal: AbortSignal;
  /** The same in a cheaper form, for callers that make one per call; `signal` may then be made when first asked for. */
  readonly cancel?: CancelSignal;
  readonly lineage: Lineage;
  /** For functions with session affinity: the session id as the caller sent it; absent begins a new session. */
  readonly sessionId?: string;
  /** Retries before this run; 0 for sync calls. */
  readonly retryCount?: number;
  /** Told once, when the call goes to its instance. */
  readonly onStarted?: (instanceId: string) => void;
}

export interface InvokeAnswer {
  readonly instanceId: string;
  readonly errorType: FunctionErrorType | undefined;
  /** Function errors carry `{errorMessage, errorType, stackTrace}` JSON here. */
  readonly payload: Uint8Array | AsyncIterable<Uint8Array>;
  readonly reply?: HttpReply;
  readonly durationMs: number;
  readonly maxMemoryMb: number;
  /** FC's log tail text (not base64), when asked for and the runtime is built in. */
  readonly logTail?: string;
  readonly timings: InvocationTimings;
  /** The session it ran in, for functions with session affinity. */
  readonly session?: CallSession;
}

export interface AsyncCommand {
  readonly requestId: string;
  readonly account: string;
  readonly functionName: string;
  readonly qualifier: string | undefined;
  readonly payload: Uint8Array;
  /** The caller's task id; default = request id. A second one with the same id is refused. */
  readonly taskId?: string;
  readonly delaySeconds?: number;
  readonly lineage: Lineage;
  /** For trigger events: dropped silently when an event with this id was accepted before. */
  readonly dedupId?: string;
  /** An HTTP request to run asynchronously on a custom runtime; `payload` is then its body. */
  readonly http?: Omit<HttpCall, 'body'>;
}

/** How an event ends that is accepted for its record alone. */
export interface RefusedEnd {
  readonly state: 'Invalid' | 'Expired';
  readonly message: string;
}

/** One invocation from accepted to settled; doors and event sources call this. All failures are TidemillErrors. */
export interface Dispatch {
  /** Resolves name and qualifier; throws FunctionNotFound, VersionNotFound, AliasNotFound or AccessDenied (disabled). */
  resolve(account: string, functionName: string, qualifier: string | undefined): Promise<Target>;
  /** Function errors are answers; everything before the function ran is a TidemillError. A streamed payload holds its slot until it ends. */
  invoke(command: InvokeCommand): Promise<InvokeAnswer>;
  /** Resolves once the event is durable. */
  invokeAsync(command: AsyncCommand): Promise<{ taskId: string; requestId: string }>;
  /**
   * Accepts an event that will never run, so that it has its one recorded end like any other: a fact, a destination or a dead
   * letter. Resolves once that is durable; one with the same `dedupId` changes nothing.
   */
  refuseAsync(command: AsyncCommand, end: RefusedEnd): Promise<void>;
  /** Starts (or finds) one instance and reports its load or initializer error, without calling the handler. */
  warm(target: Target): Promise<{ instanceId: string; startLog: string }>;
}
