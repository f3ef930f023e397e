import type { RejectReason } from './events.ts';
import { claim, mayClaim, memoryRefusal } from './fair-share.ts';
import { greedyDualVictim } from './keep-alive-eviction.ts';
import { addInstance, end } from './lifecycle.ts';
import type { AccountState, FunctionState, InstanceState, SchedulerState, VersionState } from './state.ts';

/**
 * Room for instances: the function's own limit, the account's, and the memory of the nodes. Idle instances are room too:
 * where a limit is reached the one that was idle longest gives way.
 */

/** Why one more waiting call of this version cannot be allowed, or undefined when it can. O(1) but where all memory is taken. */
export function refusal(state: SchedulerState, version: VersionState): RejectReason | undefined {
  const owner = version.function;
  const { concurrency, memoryMb } = version.shape;
  if (owner.limit === 0) return 'function-limit';
  // Instances beyond those starting that would be needed if every waiting call and this one wanted a slot of its own.
  const needed = Math.ceil((version.waiting.size + 1) / concurrency) - version.starting;
  if (needed <= 0) return undefined;
  if (!servesOnDemand(version)) return 'on-demand-off';
  if (needed > functionRoom(owner)) return 'function-limit';
  if (needed > accountRoom(owner)) return 'account-limit';
  if (needed > accountMemoryRoom(owner.account, memoryMb)) return 'account-memory';
  if (needed > memoryRoom(state, memoryMb)) return memoryRefusal(state, version);
  return undefined;
}

/** How many more calls of this version would be let in right now. */
export function room(state: SchedulerState, version: VersionState): number {
  const owner = version.function;
  if (owner.limit === 0) return 0;
  const free = Math.max(0, version.freeSlots - version.behind);
  if (!servesOnDemand(version)) return free;
  const ofMemory = memoryRoom(state, version.shape.memoryMb);
  const more = Math.min(
    functionRoom(owner),
    accountRoom(owner),
    accountMemoryRoom(owner.account, version.shape.memoryMb),
    ofMemory < 1 && version.waiting.size === 0 && mayClaim(state, version) ? 1 : ofMemory,
  );
  // Its own idle instances are free slots already, not room for more.
  const slots = (Math.max(more - version.idle, 0) + version.starting) * version.shape.concurrency;
  return free + Math.max(0, slots - version.waiting.size);
}

/** False: only its reserved instances serve. */
export function servesOnDemand(version: VersionState): boolean {
  return version.shape.onDemand && version.floor.onDemand;
}

function functionRoom(owner: FunctionState): number {
  return owner.limit === undefined ? Number.POSITIVE_INFINITY : owner.limit - owner.instances + owner.idle;
}

function accountRoom(owner: FunctionState): number {
  const account = owner.account;
  if (owner.limit !== undefined) return Number.POSITIVE_INFINITY;
  return account.limit - account.reserved - account.shared + account.idle;
}

function accountMemoryRoom(account: AccountState, memoryMb: number): number {
  return Math.floor((account.memoryLimitMb - account.memoryMb + account.memoryIdleMb) / memoryMb);
}

function memoryRoom(state: SchedulerState, memoryMb: number): number {
  if (state.memoryCapacityMb === undefined) return Number.POSITIVE_INFINITY;
  const free = state.memoryCapacityMb - state.memoryUsedMb + state.memoryStoppingMb + state.memoryIdleMb;
  return Math.floor(free / memoryMb);
}

/**
 * Starts one instance for the oldest waiting call without a start of its own, making room where it must. Answers `started`,
 * or what is short: the function's limit, the account's, the account's memory, memory for good (`memory`), or only for now (`later`: memory of
 * instances that are ending, or too many starts at once). A `reserved` one is for the floor, whether a call waits or not.
 */
export function tryStart(
  state: SchedulerState,
  version: VersionState,
  now: number,
  reserved = false,
): 'started' | 'function' | 'account' | 'account-memory' | 'memory' | 'later' {
  const owner = version.function;
  const { memoryMb } = version.shape;
  if (state.starting >= state.settings.startsAtOnce) return 'later';
  if (functionRoom(owner) < 1) return 'function';
  if (accountRoom(owner) < 1) return 'account';
  if (accountMemoryRoom(owner.account, memoryMb) < 1) return 'account-memory';
  if (memoryRoom(state, memoryMb) < 1) return claim(state, version) ? 'later' : 'memory';
  if (owner.limit !== undefined && owner.instances >= owner.limit) evictOfFunction(state, owner);
  if (owner.limit === undefined && owner.account.shared >= owner.account.limit - owner.account.reserved) {
    evictOfAccount(state, owner.account);
  }
  evictForAccountMemory(state, owner.account, memoryMb);
  const capacity = state.memoryCapacityMb ?? Number.POSITIVE_INFINITY;
  while (state.memoryUsedMb - state.memoryStoppingMb + memoryMb > capacity) {
    const victim = greedyDualVictim(state);
    if (victim === undefined) break;
    end(state, victim, undefined);
  }
  if (state.memoryUsedMb + memoryMb > capacity) return 'later';
  const cause = nextCause(version);
  const instance = addInstance(state, version, { id: state.nextInstance++, phase: 'starting', now, cause, reserved });
  state.effects.push({ type: 'start', instance: instance.id, version: version.shape, cause });
  return 'started';
}

/**
 * Ends the longest idle instance of the account's functions without a reservation. Looks through what was idle longer in other
 * accounts: O(idle instances), only at an account's limit.
 */
function evictOfAccount(state: SchedulerState, account: AccountState): void {
  if (account.idle === 0) return;
  for (const instance of state.idle.backwards()) {
    const owner = instance.version.function;
    if (owner.account !== account || owner.limit !== undefined) continue;
    end(state, instance, undefined);
    return;
  }
}

/** Ends idle instances of the account, the longest idle first, until its quota has room for one of this size. */
function evictForAccountMemory(state: SchedulerState, account: AccountState, memoryMb: number): void {
  if (account.memoryMb + memoryMb <= account.memoryLimitMb) return;
  for (const instance of state.idle.backwards()) {
    if (instance.version.function.account !== account) continue;
    end(state, instance, undefined);
    if (account.memoryMb + memoryMb <= account.memoryLimitMb) return;
  }
}

/** Ends the longest idle instance of the function, whichever version it runs. False when none is idle. */
export function evictOfFunction(state: SchedulerState, owner: FunctionState): boolean {
  if (owner.idle === 0) return false;
  let oldest: InstanceState | undefined;
  for (const version of owner.versions) {
    for (const instance of version.free.backwards()) {
      if (instance.inFlight > 0) continue;
      if (oldest === undefined || instance.idleSince < oldest.idleSince) oldest = instance;
      break;
    }
  }
  if (oldest === undefined) return false;
  end(state, oldest, undefined);
  return true;
}

/** The call a start is made for: the waiting calls have their starts in the order of the queue. */
function nextCause(version: VersionState): number {
  let skip = version.starting;
  let cause = 0;
  for (const request of version.waiting) {
    cause = request.id;
    if (skip-- <= 0) break;
  }
  return cause;
}
