import { smooth } from './demand.ts';
import { firstLookMs, noteBusy, noteIdle } from './keep-alive.ts';
import { forgetIfDone, InstanceState, type RequestState, type SchedulerState, type VersionState } from './state.ts';

/** Steps in the life of one instance, with every count that depends on them. No decisions here. */

/** A new instance that is being started for `cause`, or one that was found (`ready`). Counts it. */
export function addInstance(
  state: SchedulerState,
  version: VersionState,
  options: { id: number; phase: 'starting' | 'ready'; now: number; cause: number; reserved?: boolean },
): InstanceState {
  const instance = new InstanceState(options.id, version, options.phase, options.now, options.cause);
  state.instances.set(instance.id, instance);
  version.instances.pushBack(instance.inVersion);
  state.memoryUsedMb += version.shape.memoryMb;
  version.function.instances++;
  version.function.account.memoryMb += version.shape.memoryMb;
  if (version.function.limit === undefined) version.function.account.shared++;
  if (options.reserved === true) {
    instance.reserved = true;
    version.reserved++;
  }
  if (options.phase === 'starting') {
    version.starting++;
    state.starting++;
  } else {
    version.ready++;
    version.freeSlots += version.shape.concurrency;
  }
  return instance;
}

/** A started instance takes calls from now on; its start time is learnt. */
export function makeReady(state: SchedulerState, instance: InstanceState, now: number): void {
  const version = instance.version;
  instance.phase = 'ready';
  version.starting--;
  state.starting--;
  version.ready++;
  version.startMs = smooth(version.startMs, now - instance.orderedAt);
  state.startMs = smooth(state.startMs, now - instance.orderedAt);
  version.freeSlots += version.shape.concurrency;
  version.failures = 0;
  version.notBefore = 0;
  version.capacityRetries = 0;
}

/** Offers the free slots of a ready instance, in front of all others. */
export function offer(state: SchedulerState, instance: InstanceState, now: number): void {
  const version = instance.version;
  (instance.reserved ? version.freeReserved : version.free).pushFront(instance.inFree);
  if (instance.inFlight === 0 && instance.inIdle.list === undefined) enterIdle(state, instance, now);
}

/** Gives a slot of a ready instance to a call. */
export function grant(
  state: SchedulerState,
  request: RequestState,
  instance: InstanceState,
  now: number,
  start: 'warm' | 'cold' | 'cold-first',
): void {
  const version = instance.version;
  if (instance.inIdle.list !== undefined) leaveIdle(state, instance);
  if (instance.inFlight++ === 0) noteBusy(state, version, now);
  instance.used = true;
  version.freeSlots--;
  if (version.shape.exclusive || instance.inFlight >= version.shape.concurrency) instance.inFree.unlink();
  version.lastGrantAt = now;
  version.callsSinceNone++;
  request.instance = instance;
  request.grantedAt = now;
  state.effects.push({
    type: 'grant',
    request: request.id,
    instance: instance.id,
    epoch: state.epoch,
    cold: start !== 'warm',
    first: start === 'cold-first',
  });
}

function enterIdle(state: SchedulerState, instance: InstanceState, now: number): void {
  const owner = instance.version.function;
  instance.idleSince = now;
  if (instance.reserved) return state.reservedIdle.pushFront(instance.inIdle);
  instance.agedFrom = state.evictionClock;
  owner.idle++;
  instance.version.idle++;
  // One that was started ahead and not used yet ends no busy time.
  if (instance.used) noteIdle(instance.version, now);
  state.memoryIdleMb += instance.version.shape.memoryMb;
  owner.account.memoryIdleMb += instance.version.shape.memoryMb;
  state.idle.pushFront(instance.inIdle);
  if (owner.limit === undefined) owner.account.idle++;
  // Left where it is while calls come and go: when it fires it looks how long the instance really was idle.
  const firstLook = now + firstLookMs(state, instance.version);
  if (instance.idleTimer.list === undefined || instance.idleTimer.at > firstLook) {
    state.idleTimers.set(instance.idleTimer, firstLook);
  }
}

function leaveIdle(state: SchedulerState, instance: InstanceState): void {
  if (instance.inIdle.list === state.reservedIdle) return instance.inIdle.unlink();
  const owner = instance.version.function;
  owner.idle--;
  instance.version.idle--;
  state.memoryIdleMb -= instance.version.shape.memoryMb;
  owner.account.memoryIdleMb -= instance.version.shape.memoryMb;
  instance.inIdle.unlink();
  if (owner.limit === undefined) owner.account.idle--;
}

/** A ready instance gets no more calls. */
export function drain(state: SchedulerState, instance: InstanceState): void {
  if (instance.phase !== 'ready') return;
  const version = instance.version;
  const slots = version.shape.exclusive && instance.used ? 0 : version.shape.concurrency - instance.inFlight;
  if (slots < 0) version.behind += slots;
  else version.freeSlots -= slots;
  if (version.gathering === instance) version.gathering = undefined;
  version.ready--;
  instance.inFree.unlink();
  if (instance.inIdle.list !== undefined) leaveIdle(state, instance);
  unreserve(instance);
  instance.phase = 'draining';
}

/** Orders the end of an instance and stops counting it. Its calls, if any, fail with it. */
export function end(state: SchedulerState, instance: InstanceState, kill: 'timeout' | 'killed' | undefined): void {
  if (instance.phase === 'stopping' || instance.phase === 'gone') return;
  drain(state, instance);
  uncount(state, instance);
  instance.phase = 'stopping';
  state.memoryStoppingMb += instance.version.shape.memoryMb;
  if (kill === undefined) state.effects.push({ type: 'stop', instance: instance.id });
  else state.effects.push({ type: 'kill', instance: instance.id, reason: kill });
}

/** The instance is no more, from whatever phase. Calls on it may still come back; they change nothing. */
export function remove(state: SchedulerState, instance: InstanceState): void {
  const version = instance.version;
  if (instance.phase === 'starting') {
    version.starting--;
    state.starting--;
    unreserve(instance);
    uncount(state, instance);
  } else if (instance.phase === 'stopping') {
    state.memoryStoppingMb -= version.shape.memoryMb;
  } else {
    drain(state, instance);
    uncount(state, instance);
  }
  instance.phase = 'gone';
  state.memoryUsedMb -= version.shape.memoryMb;
  state.idleTimers.clear(instance.idleTimer);
  instance.inVersion.unlink();
  state.instances.delete(instance.id);
  if (version.instances.size === 0) version.callsSinceNone = 0;
  forgetIfDone(state, version);
}

/** A running instance is one of the version's reserved ones from now on. */
export function keepReserved(state: SchedulerState, instance: InstanceState): void {
  const { version } = instance;
  const wasIdle = instance.inIdle.list !== undefined;
  if (wasIdle) leaveIdle(state, instance);
  state.idleTimers.clear(instance.idleTimer);
  instance.reserved = true;
  instance.unwanted = false;
  version.reserved++;
  if (wasIdle) state.reservedIdle.pushFront(instance.inIdle);
  if (instance.inFree.list !== undefined) version.freeReserved.pushFront(instance.inFree);
}

/** The instance counts no longer for the floor. */
export function unreserve(instance: InstanceState): void {
  if (!instance.reserved) return;
  instance.reserved = false;
  instance.version.reserved--;
}

function uncount(state: SchedulerState, instance: InstanceState): void {
  const owner = instance.version.function;
  owner.instances--;
  owner.account.memoryMb -= instance.version.shape.memoryMb;
  if (owner.limit === undefined) owner.account.shared--;
  state.idleTimers.clear(instance.idleTimer);
}
