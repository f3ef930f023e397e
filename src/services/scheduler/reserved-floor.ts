import { tryStart } from './capacity.ts';
import type { ReservedFloor, VersionShape } from './events.ts';
import { drain, end, keepReserved, unreserve } from './lifecycle.ts';
import {
  type FunctionState,
  type InstanceState,
  NO_FLOOR,
  type SchedulerState,
  type VersionState,
  versionState,
} from './state.ts';

/**
 * The floor of a version: its reserved instances. They count against every limit like others, but are never idle in the eyes of
 * those who look for room, and no timeout ends them. Instances that run already are taken over before new ones are started.
 */

/** When to try again to start what there was no room for, milliseconds. */
const RETRY_MS = { later: 50, room: 500 } as const;

/** Calls go to reserved instances first. */
export function freeInstance(version: VersionState): InstanceState | undefined {
  const { freeReserved } = version;
  return (version.floor.balanced ? freeReserved.last : freeReserved.first) ?? version.free.first;
}

/** Sets the floor of a version and makes it so, as far as there is room; the rest follows as room comes. */
export function setFloor(state: SchedulerState, shape: VersionShape, floor: ReservedFloor, now: number): VersionState {
  const version = versionState(state, shape);
  // What was replaced for good gets no more instances.
  version.floor = version.retired ? NO_FLOOR : pick(floor);
  if (version.reserved > version.floor.count) release(state, version, version.reserved - version.floor.count);
  else fillFloor(state, version, now);
  for (const instance of version.instances) if (instance.reserved) tellIdleMode(state, instance);
  return version;
}

function pick({ count, onDemand, alwaysCpu, balanced }: ReservedFloor): ReservedFloor {
  return { count, onDemand, alwaysCpu, balanced };
}

function tellIdleMode(state: SchedulerState, instance: InstanceState): void {
  const idle = instance.version.floor.alwaysCpu ? 'running' : 'frozen';
  if (instance.idleMode === idle) return;
  instance.idleMode = idle;
  state.effects.push({ type: 'idle-mode', instance: instance.id, idle });
}

/** Takes over running instances and starts what still lacks. */
export function fillFloor(state: SchedulerState, version: VersionState, now: number): void {
  for (const instance of version.instances) {
    if (version.reserved >= version.floor.count) break;
    if (instance.reserved || (instance.phase !== 'ready' && instance.phase !== 'starting')) continue;
    if (version.shape.exclusive && instance.used) continue;
    keepReserved(state, instance);
    tellIdleMode(state, instance);
  }
  version.shortOf = undefined;
  while (version.reserved < version.floor.count) {
    // After a failed start one more tells whether it was a mishap or the function.
    if (version.failures > 0 && version.starting > 0) return;
    if (now < version.notBefore) return lookAgain(state, version, version.notBefore);
    const result = tryStart(state, version, now, true);
    if (result !== 'started') {
      version.shortOf = result;
      return lookAgain(state, version, now + (result === 'later' ? RETRY_MS.later : RETRY_MS.room));
    }
    const started = version.instances.last;
    if (started !== undefined) tellIdleMode(state, started);
  }
}

function lookAgain(state: SchedulerState, version: VersionState, at: number): void {
  state.planTimers.set(version.planTimer, at);
}

/** Ends the surplus at once: idle ones now, busy ones after their calls, starting ones when they are ready. */
function release(state: SchedulerState, version: VersionState, surplus: number): void {
  const order = [...version.instances].filter((instance) => instance.reserved).toSorted((a, b) => cost(a) - cost(b));
  for (const instance of order.slice(0, surplus)) releaseOne(state, instance);
}

/** What it takes to do without: nothing for an idle instance, a start for one that starts, calls for a busy one. */
function cost(instance: InstanceState): number {
  if (instance.phase === 'starting') return 0.5;
  return instance.inFlight;
}

function releaseOne(state: SchedulerState, instance: InstanceState): void {
  if (instance.phase === 'starting') {
    unreserve(instance);
    instance.unwanted = true;
  } else if (instance.inFlight === 0) {
    end(state, instance, undefined);
  } else {
    drain(state, instance);
  }
}

/** An instance that the floor no longer wanted when it was ready; one that has a call by then stays for on-demand use. */
export function endUnwanted(state: SchedulerState, instance: InstanceState): void {
  if (instance.unwanted && instance.phase === 'ready' && instance.inFlight === 0) end(state, instance, undefined);
  instance.unwanted = false;
}

/** A lowered limit takes idle reserved instances too. False when none is idle. */
export function evictReserved(state: SchedulerState, owner: FunctionState): boolean {
  for (const version of owner.versions) {
    for (const instance of version.instances) {
      if (!instance.reserved || instance.phase !== 'ready' || instance.inFlight > 0) continue;
      end(state, instance, undefined);
      return true;
    }
  }
  return false;
}
