/** What the scheduler needs to know about a version; made once per version by the loop. */
export interface VersionShape {
  /** VersionSpec.key. */
  readonly key: string;
  readonly account: string;
  /** `account/function`: the unit of reserved concurrency and of fairness. */
  readonly functionKey: string;
  /** Calls one instance may hold at once, at least 1. */
  readonly concurrency: number;
  /** One call per instance, then it is destroyed (instanceIsolationMode REQUEST_EXCLUSIVE). */
  readonly exclusive: boolean;
  readonly memoryMb: number;
  readonly idleMs: number;
  /** `learnt`: how long idle instances are kept follows from the calls; otherwise it is `idleMs`, as the function says. */
  readonly keepAlive?: 'learnt' | 'fixed';
  /** False: the version may only run on provisioned instances, every other call is refused (disableOndemand). */
  readonly onDemand: boolean;
}

/** Whose fault a failed start was. `capacity`: the node had no room. */
export type StartFailureCause = 'function' | 'capacity' | 'platform';

/** `quick`: ok, and very short. `unbegun`: it waited behind another call of its instance and was taken back. */
export type ReleaseOutcome = 'ok' | 'quick' | 'unbegun' | 'broken' | 'kill' | 'timeout' | 'stop';

/** What reserved instances of a version are to be. */
export interface ReservedFloor {
  readonly count: number;
  /** False: only reserved instances serve. */
  readonly onDemand: boolean;
  /** Reserved instances keep their CPU between calls. */
  readonly alwaysCpu: boolean;
  /** Calls go round the reserved instances instead of to the most recently used one. */
  readonly balanced: boolean;
}

/** Requests and instances are numbers that the loop hands out or gets with an effect; they are never reused. */
export type SchedulerEvent =
  /** A call wants a slot. `wait: false`: only if one is free right now, otherwise nothing happens. */
  | { readonly type: 'enqueue'; readonly request: number; readonly version: VersionShape; readonly wait: boolean }
  /** A call wants a slot of this very instance, now or not at all. */
  | { readonly type: 'hold'; readonly request: number; readonly instance: number }
  /** The caller of a waiting call went away. Nothing happens when it is not waiting (any more). */
  | { readonly type: 'cancel'; readonly request: number }
  | { readonly type: 'started'; readonly instance: number }
  | { readonly type: 'start-failed'; readonly instance: number; readonly cause: StartFailureCause }
  /** A lease came back. Ignored when its epoch is not the current one, or when it came back before. */
  | { readonly type: 'released'; readonly request: number; readonly epoch: number; readonly outcome: ReleaseOutcome }
  /** The connection to an instance is gone while it may still live: it gets no more calls and is removed. */
  | { readonly type: 'lost'; readonly instance: number }
  | { readonly type: 'exited'; readonly instance: number }
  /** An instance found running; `busy` slots are held by calls of an earlier server. */
  | { readonly type: 'adopted'; readonly instance: number; readonly version: VersionShape; readonly busy: number }
  /** The earlier server's calls on an adopted instance have ended. */
  | { readonly type: 'adopted-drained'; readonly instance: number }
  /** The version changed or went away: its instances end when idle. Calls already waiting for it are still served. */
  | { readonly type: 'retire'; readonly version: string }
  /** Most instances of one function (reserved concurrency); undefined takes the limit away. */
  | {
      readonly type: 'function-limit';
      readonly functionKey: string;
      readonly account: string;
      readonly limit: number | undefined;
    }
  | { readonly type: 'account-limit'; readonly account: string; readonly limit: number }
  /** What the account may use has changed: it is asked for anew. */
  | { readonly type: 'account-bounds'; readonly account: string }
  /** So many instances of the version are to be kept ready from now on, whatever the load; 0 = none. */
  | ({ readonly type: 'reserve'; readonly version: VersionShape } & ReservedFloor)
  /** Memory of all nodes together for instances; undefined: not known, never a reason to refuse. */
  | { readonly type: 'memory'; readonly capacityMb: number | undefined }
  /** A call is known to come at this time (a timer of the platform): an instance is to be ready by then. */
  | { readonly type: 'expect'; readonly version: VersionShape; readonly at: number }
  /** Time has passed: timers that are due fire. */
  | { readonly type: 'tick' };

export type RejectReason =
  | 'function-limit'
  | 'account-limit'
  | 'account-calls'
  | 'account-memory'
  | 'no-capacity'
  | 'on-demand-off'
  | 'start-failed';

export type SchedulerEffect =
  /** The call may go to the instance. `cold`: it waited for this instance to start; `first`: the first such call. */
  | {
      readonly type: 'grant';
      readonly request: number;
      readonly instance: number;
      readonly epoch: number;
      readonly cold: boolean;
      readonly first: boolean;
      /** It waits behind the call that the instance runs. */
      readonly behind?: true;
    }
  /** `cause`: the waiting call that the start is made for. */
  | { readonly type: 'start'; readonly instance: number; readonly version: VersionShape; readonly cause: number }
  /** Remove the instance gently: pre-stop hook and all. */
  | { readonly type: 'stop'; readonly instance: number }
  | { readonly type: 'kill'; readonly instance: number; readonly reason: 'timeout' | 'killed' }
  /** Between its calls the instance stands still (`frozen`) or runs on. Instances are `frozen` until told otherwise. */
  | { readonly type: 'idle-mode'; readonly instance: number; readonly idle: 'frozen' | 'running' }
  /** The call will not run. `start-failed` is only given while a `start-failed` event is decided: its error is the reason. */
  | { readonly type: 'reject'; readonly request: number; readonly reason: RejectReason };
