import type { EndState } from './async-task.ts';
import type { FunctionErrorType, InvocationTimings } from './invocation.ts';
import type { Lineage } from './lineage.ts';
import type { ThrottleReason } from './overload.ts';

interface FactBase {
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly account: string;
  readonly functionName: string;
}

/** One settled invocation: the source of metrics, metering and the console's lists. */
export interface InvocationSettled extends FactBase {
  readonly type: 'invocation-settled';
  readonly requestId: string;
  readonly qualifier: string;
  readonly versionId: string;
  readonly instanceId: string;
  readonly invocation: 'sync' | 'async';
  /** HTTP status of the native dialect: 200 also for function errors. */
  readonly status: number;
  readonly errorType?: FunctionErrorType;
  readonly errorMessage?: string;
  /** Of calls that failed: the `VersionSpec.key` and the code's SHA-256, so that the very same can be run again. */
  readonly specKey?: string;
  readonly codeDigest?: string;
  /** The limit that kept the call from running. */
  readonly throttled?: ThrottleReason;
  readonly durationMs: number;
  readonly billedMs: number;
  readonly memorySizeMb: number;
  readonly maxMemoryMb: number;
  readonly timings: InvocationTimings;
}

/** Output of a function. `text` may hold several lines; no trailing newline. */
export interface OutputWritten extends FactBase {
  readonly type: 'output-written';
  readonly requestId: string;
  readonly instanceId: string;
  readonly versionId: string;
  readonly text: string;
}

/** An async invocation was durably accepted. */
export interface EventAccepted extends FactBase {
  readonly type: 'event-accepted';
  readonly requestId: string;
  readonly taskId: string;
  readonly qualifier: string;
}

/** An async invocation reached its recorded end without (another) run: expired, function gone, retries used up. */
export interface EventEnded extends FactBase {
  readonly type: 'event-ended';
  readonly requestId: string;
  readonly taskId: string;
  readonly state: EndState;
  readonly attempts: number;
  readonly message: string;
}

/** The result of an async invocation was delivered to a destination, or never will be. Request and task are those of the invocation. */
export interface DeliveryEnded extends FactBase {
  readonly type: 'delivery-ended';
  readonly requestId: string;
  readonly taskId: string;
  readonly destination: string;
  readonly state: EndState;
  readonly attempts: number;
  readonly message: string;
}

/**
 * An alarm: a call or event was not run because it descends from too many others. `hops`: its chain is too long; `rate`: one
 * first request has too many descendants in a minute, told once a minute for each.
 */
export interface LoopStopped extends FactBase {
  readonly type: 'loop-stopped';
  readonly requestId: string;
  readonly invocation: 'sync' | 'async';
  readonly reason: 'hops' | 'rate';
  /** The limit that was reached: hops, or descendants in a minute. */
  readonly limit: number;
  /** The evidence: the whole chain. */
  readonly lineage: Lineage;
}

export interface InstanceStarted extends FactBase {
  readonly type: 'instance-started';
  readonly instanceId: string;
  readonly versionId: string;
  readonly from: 'pool' | 'bare' | 'scratch';
  readonly startMs: number;
}

export interface InstanceGone extends FactBase {
  readonly type: 'instance-gone';
  readonly instanceId: string;
  readonly versionId: string;
  readonly reason: string;
}

/** Somebody opened a session inside an instance: who did what, for those who audit. */
export interface ExecOpened extends FactBase {
  readonly type: 'exec-opened';
  readonly requestId: string;
  readonly instanceId: string;
  readonly command: readonly string[];
}

/** What happened, past tense, appended to a log; views and meters are folds over facts. */
export type Fact =
  | ExecOpened
  | InvocationSettled
  | OutputWritten
  | EventAccepted
  | EventEnded
  | LoopStopped
  | DeliveryEnded
  | InstanceStarted
  | InstanceGone;
