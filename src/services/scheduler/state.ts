import { Deadline, DeadlineWheel } from '../../core/base/deadline-wheel.ts';
import { LinkedList, ListNode } from '../../core/base/linked-list.ts';
import { FairQueue } from './fairness.ts';
import type { ReservedFloor, SchedulerEffect, VersionShape } from './events.ts';
import { GapPrior, type KeepAliveMemory } from './keep-alive.ts';
import { DEFAULT_SETTINGS, type AccountBounds, type SchedulerSettings } from './settings.ts';

export const NO_FLOOR: ReservedFloor = { count: 0, onDemand: true, alwaysCpu: false, balanced: false };

/** A call that waits for a slot or holds one. */
export class RequestState {
  readonly id: number;
  readonly version: VersionState;
  /** Set once granted. */
  instance: InstanceState | undefined = undefined;
  grantedAt = 0;
  /** Its place in the version's queue; made only for calls that wait. */
  place: ListNode<RequestState> | undefined = undefined;

  constructor(id: number, version: VersionState) {
    this.id = id;
    this.version = version;
  }
}

/**
 * starting -> ready -> draining -> stopping -> (gone). `draining` finishes calls and gets no new ones; from `stopping` on the
 * instance no longer counts against limits, but holds its memory until it has exited.
 */
export type InstancePhase = 'starting' | 'ready' | 'draining' | 'stopping' | 'gone';

export class InstanceState {
  readonly id: number;
  readonly version: VersionState;
  phase: InstancePhase;
  inFlight = 0;
  /** Slots held by calls of an earlier server; part of `inFlight`. */
  adoptedBusy = 0;
  /** When its last call was answered. */
  answeredAt = 0;
  /** It has said of a call that it was quick: it takes others behind such. */
  quick = false;
  /** An exclusive instance that has had its call. */
  used = false;
  idleSince = 0;
  /** The eviction clock when it was last used. */
  agedFrom = 0;
  /** When the start was ordered. */
  readonly orderedAt: number;
  /** The call the start is made for; 0 = none. */
  readonly cause: number;
  /** One of the version's reserved instances: never idle in the eyes of whoever looks for room. */
  reserved = false;
  /** What the loop was told to do with it between calls. */
  idleMode: 'frozen' | 'running' = 'frozen';
  /** It was to be reserved, and no longer is, before it was ready: ends then, unless a call waits. */
  unwanted = false;
  /** How to end once the last call is done; undefined = gently. */
  killReason: 'timeout' | 'killed' | undefined = undefined;
  readonly inVersion: ListNode<InstanceState>;
  readonly inFree: ListNode<InstanceState>;
  readonly inIdle: ListNode<InstanceState>;
  readonly idleTimer: Deadline<InstanceState>;

  constructor(id: number, version: VersionState, phase: InstancePhase, now: number, cause: number) {
    this.id = id;
    this.version = version;
    this.phase = phase;
    this.orderedAt = now;
    this.cause = cause;
    this.inVersion = new ListNode<InstanceState>(this);
    this.inFree = new ListNode<InstanceState>(this);
    this.inIdle = new ListNode<InstanceState>(this);
    this.idleTimer = new Deadline<InstanceState>(this);
  }
}

export class VersionState {
  readonly shape: VersionShape;
  readonly function: FunctionState;
  /** All that are not gone. */
  readonly instances = new LinkedList<InstanceState>();
  /** Ready instances with a free slot, most recently used first. */
  readonly free = new LinkedList<InstanceState>();
  /** The same of reserved instances: calls go here first. */
  readonly freeReserved = new LinkedList<InstanceState>();
  readonly waiting = new LinkedList<RequestState>();
  starting = 0;
  ready = 0;
  idle = 0;
  freeSlots = 0;
  /** How surely its calls are very short. */
  quickness = 0;
  /** Calls that wait behind the running call of a ready instance; never more than `freeSlots` when one is added. */
  behind = 0;
  /** The instance that short calls gather at. */
  gathering: InstanceState | undefined = undefined;
  retired = false;
  /** Instances to be kept ready whatever the load, and what they are like. */
  floor: ReservedFloor = NO_FLOOR;
  /** Instances kept for the floor: starting or ready. */
  reserved = 0;
  /** Why there are fewer than the floor asks for, as far as it is for want of room. */
  shortOf: 'function' | 'account' | 'account-memory' | 'memory' | 'later' | undefined = undefined;
  /** Replaced, but its floor still stands: retires with it. */
  retireWithFloor = false;
  /** Smoothed execution time, ms; 0 = never measured. */
  execMs = 0;
  /** Smoothed start time, ms; 0 = never measured. */
  startMs = 0;
  lastGrantAt = 0;
  windowStart = 0;
  windowCount = 0;
  /** Length of the running window; 0 = none was measured. */
  windowMs = 0;
  /** Arrivals per millisecond in the window before. */
  previousRate = 0;
  /** Failed starts in a row. */
  failures = 0;
  lastFailureAt = 0;
  /** No start before this time. */
  notBefore = 0;
  capacityRetries = 0;
  /** The instance of somebody else that gives way for it. */
  claim: InstanceState | undefined = undefined;
  /** Since when nothing of it runs; meaningful while nothing does. */
  quietSince = 0;
  /** Calls since it last had no instance. */
  callsSinceNone = 0;
  keepAlive: KeepAliveMemory | undefined = undefined;
  /** In the queue of versions that want to start an instance and cannot: the account's or the global one. */
  readonly blocked: ListNode<VersionState>;
  /** When to look at the waiting calls again. */
  readonly planTimer: Deadline<VersionState>;
  /** When to start an instance ahead of its next call. */
  readonly wakeTimer: Deadline<VersionState>;

  constructor(shape: VersionShape, owner: FunctionState) {
    this.shape = shape;
    this.function = owner;
    this.blocked = new ListNode<VersionState>(this);
    this.planTimer = new Deadline<VersionState>(this);
    this.wakeTimer = new Deadline<VersionState>(this);
  }
}

export class FunctionState {
  readonly key: string;
  readonly account: AccountState;
  readonly versions = new Set<VersionState>();
  /** Reserved concurrency in instances; undefined = shares the account's. */
  limit: number | undefined = undefined;
  /** Instances that count against limits: starting, ready, draining. */
  instances = 0;
  idle = 0;

  constructor(key: string, account: AccountState) {
    this.key = key;
    this.account = account;
  }
}

export class AccountState {
  readonly name: string;
  limit: number;
  /** Sum of the functions' reservations: nobody else may use that share. */
  reserved = 0;
  /** Counted instances of functions without a reservation. */
  shared = 0;
  /** Calls that wait or run. */
  calls = 0;
  /** How many of them are idle. Which ones is only asked at the limit, so there is no list: it would cost each warm call. */
  idle = 0;
  /** Versions that wait for room in the account. */
  readonly blocked = new LinkedList<VersionState>();

  callLimit: number;
  memoryLimitMb: number;
  /** Memory of the instances that count, and of those of them that are idle. */
  memoryMb = 0;
  memoryIdleMb = 0;

  constructor(name: string, bounds: AccountBounds) {
    this.name = name;
    this.limit = bounds.instances;
    this.callLimit = bounds.calls;
    this.memoryLimitMb = bounds.memoryMb;
  }

  /** Every further instance and call is measured against these. */
  bound({ instances, calls, memoryMb }: AccountBounds): void {
    this.limit = instances;
    this.callLimit = calls;
    this.memoryLimitMb = memoryMb;
  }
}

/**
 * Everything the scheduler knows. Mutated in place by `decide` (one owner); `effects` is one array for the life of the
 * state: whoever calls `decide` performs and removes what was added.
 */
export interface SchedulerState {
  readonly epoch: number;
  readonly settings: SchedulerSettings;
  readonly effects: SchedulerEffect[];
  readonly versions: Map<string, VersionState>;
  readonly functions: Map<string, FunctionState>;
  readonly accounts: Map<string, AccountState>;
  /** Waiting calls and leases. */
  readonly requests: Map<number, RequestState>;
  readonly instances: Map<number, InstanceState>;
  /** All idle instances, least recently used last. */
  readonly idle: LinkedList<InstanceState>;
  /** Reserved instances without a call, least recently used last. */
  readonly reservedIdle: LinkedList<InstanceState>;
  /** Versions that wait for room on the nodes or for their turn to start. */
  readonly blocked: FairQueue;
  /** Idle instances' ends; coarse. */
  readonly idleTimers: DeadlineWheel<InstanceState>;
  /** Looking again at queues; fine. */
  readonly planTimers: DeadlineWheel<VersionState>;
  /** Starting instances ahead of calls; coarse. */
  readonly wakeTimers: DeadlineWheel<VersionState>;
  /** Rises with every eviction under memory pressure. */
  evictionClock: number;
  readonly gapPrior: GapPrior;
  nextInstance: number;
  starting: number;
  memoryCapacityMb: number | undefined;
  /** MB of all instances that have not exited. */
  memoryUsedMb: number;
  /** The part of it that `stopping` instances hold. */
  memoryStoppingMb: number;
  memoryIdleMb: number;
  /** Smoothed start time over all versions, ms. */
  startMs: number;
}

export function createSchedulerState(options: {
  epoch: number;
  now: number;
  settings?: Partial<SchedulerSettings>;
}): SchedulerState {
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  return {
    epoch: options.epoch,
    settings,
    effects: [],
    versions: new Map(),
    functions: new Map(),
    accounts: new Map(),
    requests: new Map(),
    instances: new Map(),
    idle: new LinkedList(),
    reservedIdle: new LinkedList(),
    blocked: new FairQueue(),
    idleTimers: new DeadlineWheel({ granularityMs: 200, buckets: 2_048, now: options.now }),
    planTimers: new DeadlineWheel({ granularityMs: 5, buckets: 2_048, now: options.now }),
    wakeTimers: new DeadlineWheel({ granularityMs: 200, buckets: 2_048, now: options.now }),
    evictionClock: 0,
    gapPrior: new GapPrior(settings.keepAlive),
    nextInstance: 1,
    starting: 0,
    memoryCapacityMb: undefined,
    memoryUsedMb: 0,
    memoryStoppingMb: 0,
    memoryIdleMb: 0,
    startMs: settings.assumedStartMs,
  };
}

/** A call that waits or has a lease from now on. */
export function addRequest(state: SchedulerState, request: RequestState): void {
  state.requests.set(request.id, request);
  request.version.function.account.calls++;
}

export function removeRequest(state: SchedulerState, request: RequestState): void {
  if (state.requests.delete(request.id)) request.version.function.account.calls--;
}

export function accountState(state: SchedulerState, name: string): AccountState {
  let account = state.accounts.get(name);
  if (account === undefined) {
    account = new AccountState(name, boundsOf(state, name));
    state.accounts.set(name, account);
  }
  return account;
}

export function boundsOf({ settings }: SchedulerState, account: string): AccountBounds {
  const { instancesPerAccount: instances, callsPerAccount: calls } = settings;
  return settings.boundsOf(account) ?? { instances, calls, memoryMb: Number.POSITIVE_INFINITY };
}

export function functionState(state: SchedulerState, key: string, account: string): FunctionState {
  let owner = state.functions.get(key);
  if (owner === undefined) {
    owner = new FunctionState(key, accountState(state, account));
    state.functions.set(key, owner);
  }
  return owner;
}

export function versionState(state: SchedulerState, shape: VersionShape): VersionState {
  const known = state.versions.get(shape.key);
  if (known !== undefined) return known;
  const owner = functionState(state, shape.functionKey, shape.account);
  const version = new VersionState(shape, owner);
  state.versions.set(shape.key, version);
  owner.versions.add(version);
  return version;
}

/** True when nothing of the version runs, waits, is reserved or is about to be started. */
export function isQuiet(state: SchedulerState, key: string): boolean {
  const version = state.versions.get(key);
  if (version === undefined) return true;
  const { instances, waiting, floor, wakeTimer } = version;
  return instances.size === 0 && waiting.size === 0 && floor.count === 0 && wakeTimer.list === undefined;
}

/** Forgets a retired version that nothing refers to any more, and its function when that was its last trace. */
export function forgetIfDone(state: SchedulerState, version: VersionState): void {
  if (!version.retired || version.instances.size > 0 || version.waiting.size > 0) return;
  state.planTimers.clear(version.planTimer);
  state.wakeTimers.clear(version.wakeTimer);
  version.blocked.unlink();
  state.versions.delete(version.shape.key);
  version.function.versions.delete(version);
  if (version.function.versions.size === 0 && version.function.limit === undefined) {
    state.functions.delete(version.function.key);
  }
}
