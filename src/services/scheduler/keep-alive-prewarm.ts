import type { VersionShape } from './events.ts';
import { dueAt, isLearnt, keepAliveMemory, levelsKnown, wakeAt, woken } from './keep-alive.ts';
import { addInstance } from './lifecycle.ts';
import { type SchedulerState, type VersionState, versionState } from './state.ts';

/** A call of this version is due at `at`: an instance will be ready then. */
export function expectCall(state: SchedulerState, shape: VersionShape, at: number, now: number): void {
  const version = versionState(state, shape);
  if (!isLearnt(version) || version.retired || at <= now) return;
  keepAliveMemory(state, version).expected.add(at);
  scheduleWake(state, version, now);
}

/** Sets the time at which the next instance is started ahead of calls. */
export function scheduleWake(state: SchedulerState, version: VersionState, now: number): void {
  if (version.retired || version.keepAlive === undefined) return;
  const due = dueAt(state, version, now);
  // What is due already had its turn, unless there is nothing at all.
  let at = due > now || version.ready + version.starting === 0 ? due : Number.POSITIVE_INFINITY;
  const levels = levelsKnown(version);
  for (let level = version.ready + version.starting; level < levels; level++) {
    at = Math.min(at, wakeAt(state, version, level, now));
  }
  if (at < Number.POSITIVE_INFINITY) state.wakeTimers.set(version.wakeTimer, Math.max(at, now));
  else state.wakeTimers.clear(version.wakeTimer);
}

/** Starts the instances that are due ahead of calls which are only expected. */
export function wake(state: SchedulerState, version: VersionState, now: number): void {
  const room = hasRoom(state, version);
  // A call that is due needs an instance without another call.
  const free = version.freeSlots > 0 || version.starting > 0;
  if (room && !free && dueAt(state, version, now) <= now) startAhead(state, version, now);
  const levels = levelsKnown(version);
  let needed = 0;
  for (let level = version.ready + version.starting; level < levels; level++) {
    if (wakeAt(state, version, level, now) <= now) needed = level + 1;
  }
  // Demand that reaches a level has reached those below, be they expected a little later.
  for (let level = version.ready + version.starting; level < needed; level++) {
    woken(version, level);
    if (hasRoom(state, version)) startAhead(state, version, now);
  }
  // Without room the next try is that of the next plan.
  if (room) scheduleWake(state, version, now);
}

function startAhead(state: SchedulerState, version: VersionState, now: number): void {
  const instance = addInstance(state, version, { id: state.nextInstance++, phase: 'starting', now, cause: 0 });
  state.effects.push({ type: 'start', instance: instance.id, version: version.shape, cause: 0 });
}

/** Nobody's instance is ended for a call that may not come, and a version whose starts fail is not tried for nobody. */
function hasRoom(state: SchedulerState, version: VersionState): boolean {
  const { shape, function: owner } = version;
  if (version.retired || !shape.onDemand || shape.exclusive) return false;
  if (version.failures > 0 || state.starting >= state.settings.startsAtOnce || state.blocked.size > 0) return false;
  if (owner.limit !== undefined && owner.instances >= owner.limit) return false;
  if (owner.limit === undefined && owner.account.shared >= owner.account.limit - owner.account.reserved) return false;
  return state.memoryUsedMb + shape.memoryMb <= (state.memoryCapacityMb ?? Number.POSITIVE_INFINITY);
}
