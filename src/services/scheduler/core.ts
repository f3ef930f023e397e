import { ListNode } from '../../core/base/linked-list.ts';
import { evictOfFunction, refusal } from './capacity.ts';
import { smooth } from './demand.ts';
import type { ReleaseOutcome, SchedulerEvent, StartFailureCause, VersionShape } from './events.ts';
import { keepUntil, firstLookMs } from './keep-alive.ts';
import { expectCall, scheduleWake, wake } from './keep-alive-prewarm.ts';
import { addInstance, drain, end, grant, makeReady, remove } from './lifecycle.ts';
import { plan, pump, rejectAll, serve, startFailed } from './planning.ts';
import { gatheringAt, grantBehind, learnQuickness } from './short-calls.ts';
import { endUnwanted, evictReserved, freeInstance, setFloor } from './reserved-floor.ts';
import {
  accountState,
  boundsOf,
  addRequest,
  forgetIfDone,
  functionState,
  type InstanceState,
  RequestState,
  removeRequest,
  type SchedulerState,
  type VersionState,
  versionState,
} from './state.ts';
import { countArrival } from './window.ts';

/**
 * The scheduler's one decision function: what follows from an event. Deterministic: the same state, event and time give the
 * same effects. For speed the state is changed in place and the effects are appended to `state.effects`, which the caller
 * empties. `now` is monotonic milliseconds and must not go back. Every event costs O(1), whatever the number of versions and
 * instances that are idle.
 */
export function decide(state: SchedulerState, event: SchedulerEvent, now: number): void {
  switch (event.type) {
    case 'enqueue':
      return enqueue(state, event.request, event.version, event.wait, now);
    case 'hold':
      return hold(state, event.request, event.instance, now);
    case 'released':
      return released(state, event.request, event.epoch, event.outcome, now);
    case 'cancel':
      return cancel(state, event.request);
    case 'started':
      return started(state, event.instance, now);
    case 'start-failed':
      return failed(state, event.instance, event.cause, now);
    case 'lost':
      return lost(state, event.instance, now);
    case 'exited':
      return exited(state, event.instance, now);
    case 'adopted':
      return adopted(state, event.instance, event.version, event.busy, now);
    case 'adopted-drained':
      return adoptedDrained(state, event.instance, now);
    case 'retire':
      return retire(state, event.version, now);
    case 'function-limit':
      return functionLimit(state, event.functionKey, event.account, event.limit, now);
    case 'account-limit':
      accountState(state, event.account).limit = event.limit;
      return pumpAccount(state, event.account, now);
    case 'account-bounds':
      accountState(state, event.account).bound(boundsOf(state, event.account));
      return pumpAccount(state, event.account, now);
    case 'reserve':
      return reserve(state, event, now);
    case 'memory':
      state.memoryCapacityMb = event.capacityMb;
      return pump(state, undefined, now);
    case 'expect':
      return expectCall(state, event.version, event.at, now);
    case 'tick':
      return tick(state, now);
  }
}

function enqueue(state: SchedulerState, id: number, shape: VersionShape, wait: boolean, now: number): void {
  const version = state.versions.get(shape.key) ?? versionState(state, shape);
  const full = version.function.account.calls >= version.function.account.callLimit;
  const instance = full || version.function.limit === 0 ? undefined : freeInstance(version);
  if (instance === undefined && !wait) return;
  countArrival(version, now, state.settings);
  const request = new RequestState(id, version);
  if (instance !== undefined) {
    addRequest(state, request);
    const ahead = wait ? undefined : gatheringAt(version, instance);
    if (ahead !== undefined) return grantBehind(state, request, ahead, now);
    instance.inFree.list?.pushFront(instance.inFree);
    grant(state, request, instance, now, 'warm');
    return;
  }
  const reason = full ? 'account-calls' : refusal(state, version);
  if (reason !== undefined) {
    state.effects.push({ type: 'reject', request: id, reason });
    return;
  }
  addRequest(state, request);
  request.place = new ListNode(request);
  version.waiting.pushBack(request.place);
  plan(state, version, now);
}

function hold(state: SchedulerState, id: number, instanceId: number, now: number): void {
  const instance = state.instances.get(instanceId);
  if (instance?.inFree.list === undefined) return;
  const request = new RequestState(id, instance.version);
  addRequest(state, request);
  grant(state, request, instance, now, 'warm');
}

function cancel(state: SchedulerState, id: number): void {
  const request = state.requests.get(id);
  if (request?.place?.list === undefined) return;
  request.place.unlink();
  removeRequest(state, request);
  forgetIfDone(state, request.version);
}

function released(state: SchedulerState, id: number, epoch: number, outcome: ReleaseOutcome, now: number): void {
  if (epoch !== state.epoch) return;
  const request = state.requests.get(id);
  const instance = request?.instance;
  if (request === undefined || instance === undefined) return;
  removeRequest(state, request);
  learnQuickness(request.version, instance, outcome);
  if (outcome !== 'broken' && outcome !== 'unbegun') {
    const began = Math.max(request.grantedAt, instance.answeredAt);
    request.version.execMs = smooth(request.version.execMs, now - began);
    instance.answeredAt = now;
  }
  if (instance.phase === 'gone') return;
  const { concurrency, exclusive } = instance.version.shape;
  const reusable = outcome === 'ok' || outcome === 'quick' || outcome === 'unbegun';
  const ready = instance.phase === 'ready';
  if (ready && instance.inFlight > concurrency) instance.version.behind--;
  instance.inFlight--;
  // Others waited behind it: the slot stays taken.
  const freed = ready && !exclusive && instance.inFlight < concurrency;
  if (freed) instance.version.freeSlots++;
  if (ready && reusable && !exclusive) {
    if (!freed) return;
    serve(state, instance, now, false);
    if (hasEnded(instance)) leave(state, instance, now);
    return;
  }
  if (outcome === 'broken') return endNow(state, instance, 'killed', now);
  if (outcome === 'kill' || outcome === 'timeout') instance.killReason = outcome === 'timeout' ? 'timeout' : 'killed';
  drain(state, instance);
  // Other calls on it finish first; they have their own deadlines. Those that only wait behind this one are placed again.
  if (instance.inFlight === 0 || (!reusable && concurrency === 1)) endNow(state, instance, instance.killReason, now);
  else plan(state, instance.version, now);
}

function hasEnded(instance: InstanceState): boolean {
  return instance.phase === 'stopping';
}

function endNow(
  state: SchedulerState,
  instance: InstanceState,
  kill: 'timeout' | 'killed' | undefined,
  now: number,
): void {
  end(state, instance, kill);
  leave(state, instance, now);
}

/** The instance counts no longer: who waited for room goes on, and its own version may need another. */
function leave(state: SchedulerState, instance: InstanceState, now: number): void {
  pump(state, instance, now);
  plan(state, instance.version, now);
  scheduleWake(state, instance.version, now);
}

function started(state: SchedulerState, id: number, now: number): void {
  const instance = state.instances.get(id);
  if (instance?.phase !== 'starting') return;
  makeReady(state, instance, now);
  serve(state, instance, now, true);
  endUnwanted(state, instance);
  pump(state, hasEnded(instance) ? instance : undefined, now);
  plan(state, instance.version, now);
}

function failed(state: SchedulerState, id: number, cause: StartFailureCause, now: number): void {
  const instance = state.instances.get(id);
  if (instance?.phase !== 'starting') return;
  remove(state, instance);
  startFailed(state, instance, cause, now);
  leave(state, instance, now);
}

function lost(state: SchedulerState, id: number, now: number): void {
  const instance = state.instances.get(id);
  if (instance?.phase === 'ready' || instance?.phase === 'draining') endNow(state, instance, 'killed', now);
}

function exited(state: SchedulerState, id: number, now: number): void {
  const instance = state.instances.get(id);
  // A start that fails is told by `start-failed`, with its error.
  if (instance === undefined || instance.phase === 'starting') return;
  remove(state, instance);
  leave(state, instance, now);
}

function adopted(state: SchedulerState, id: number, shape: VersionShape, busy: number, now: number): void {
  const version = versionState(state, shape);
  const instance = addInstance(state, version, { id, phase: 'ready', now, cause: 0 });
  const held = Math.min(busy, shape.concurrency);
  instance.adoptedBusy = held;
  instance.inFlight = held;
  version.freeSlots -= held;
  if (shape.exclusive) {
    // Whether it has had its one call already is not known: it gets no other.
    instance.used = held > 0;
    if (held === 0) return endNow(state, instance, undefined, now);
  }
  serve(state, instance, now, false);
  if (hasEnded(instance)) leave(state, instance, now);
}

function adoptedDrained(state: SchedulerState, id: number, now: number): void {
  const instance = state.instances.get(id);
  if (instance === undefined || instance.adoptedBusy === 0) return;
  const held = instance.adoptedBusy;
  instance.adoptedBusy = 0;
  instance.inFlight -= held;
  if (instance.phase === 'ready' && !instance.version.shape.exclusive) {
    instance.version.freeSlots += held;
    serve(state, instance, now, false);
    if (hasEnded(instance)) leave(state, instance, now);
  } else if (instance.phase !== 'stopping' && instance.inFlight === 0) {
    endNow(state, instance, instance.killReason, now);
  }
}

function retire(state: SchedulerState, key: string, now: number): void {
  const version = state.versions.get(key);
  if (version === undefined || version.retired) return;
  version.retireWithFloor = version.floor.count > 0;
  if (version.retireWithFloor) return;
  version.retired = true;
  for (const instance of version.instances) {
    if (instance.phase === 'ready' && instance.inFlight === 0) endNow(state, instance, undefined, now);
  }
  forgetIfDone(state, version);
}

function reserve(state: SchedulerState, event: Extract<SchedulerEvent, { type: 'reserve' }>, now: number): void {
  const version = setFloor(state, event.version, event, now);
  if (version.floor.count === 0 && version.retireWithFloor) retire(state, version.shape.key, now);
  pump(state, undefined, now);
}

function functionLimit(
  state: SchedulerState,
  key: string,
  accountName: string,
  limit: number | undefined,
  now: number,
): void {
  const owner = functionState(state, key, accountName);
  const account = owner.account;
  if (owner.limit === limit) return;
  account.reserved += (limit ?? 0) - (owner.limit ?? 0);
  if (owner.limit === undefined || limit === undefined) changeShare(owner.versions, limit === undefined ? 1 : -1);
  owner.limit = limit;
  if (limit !== undefined) {
    while (owner.instances > limit && (evictOfFunction(state, owner) || evictReserved(state, owner)));
    for (const version of owner.versions) if (limit === 0) rejectAll(state, version, 'function-limit');
  }
  for (const version of owner.versions) plan(state, version, now);
  pumpAccount(state, accountName, now);
}

/** A function leaves (-1) or joins (1) the part of the account that functions without a reservation share. */
function changeShare(versions: Iterable<VersionState>, sign: 1 | -1): void {
  for (const version of versions) {
    const account = version.function.account;
    for (const instance of version.instances) {
      if (instance.phase === 'stopping') continue;
      account.shared += sign;
      if (instance.inIdle.list !== undefined && !instance.reserved) account.idle += sign;
    }
  }
}

function pumpAccount(state: SchedulerState, name: string, now: number): void {
  const account = accountState(state, name);
  for (let turns = account.blocked.size; turns > 0; turns--) {
    const version = account.blocked.shift();
    if (version !== undefined) plan(state, version, now);
  }
}

function tick(state: SchedulerState, now: number): void {
  state.idleTimers.expire(now, (instance) => idleTimeout(state, instance, now));
  state.planTimers.expire(now, (version) => plan(state, version, now));
  state.wakeTimers.expire(now, (version) => wake(state, version, now));
}

function idleTimeout(state: SchedulerState, instance: InstanceState, now: number): void {
  const { version } = instance;
  if (instance.inIdle.list === undefined) {
    state.idleTimers.set(instance.idleTimer, now + firstLookMs(state, version));
    return;
  }
  const until = keepUntil(state, instance, now);
  if (until > now) {
    state.idleTimers.set(instance.idleTimer, until);
    return;
  }
  endNow(state, instance, undefined, now);
}
