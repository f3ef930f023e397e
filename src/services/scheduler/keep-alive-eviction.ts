import type { InstanceState, SchedulerState, VersionState } from './state.ts';

/** Idle instances looked at for one eviction, from the longest idle on. */
const LOOKED_AT = 16;

/**
 * Which idle instance gives way when memory is short: greedy-dual (FaasCache, ASPLOS 2021), the one with the least
 * `clock when last used + frequency x start cost / size`. Looks at the few that were idle longest, so an eviction is O(1);
 * the clock rises to the priority of what was evicted, so that what was once frequent ages.
 */
export function greedyDualVictim(state: SchedulerState): InstanceState | undefined {
  let victim: InstanceState | undefined;
  let least = Number.POSITIVE_INFINITY;
  let looked = 0;
  for (const instance of state.idle.backwards()) {
    const priority = instance.agedFrom + worth(state, instance.version);
    if (priority < least) {
      least = priority;
      victim = instance;
    }
    if (++looked === LOOKED_AT) break;
  }
  if (victim !== undefined) state.evictionClock = Math.max(state.evictionClock, least);
  return victim;
}

/** Milliseconds of waiting that a megabyte of it saves, as often as it was called since it last had no instance. */
function worth(state: SchedulerState, version: VersionState): number {
  const startMs = version.startMs === 0 ? state.startMs : version.startMs;
  return (version.callsSinceNone * startMs) / (version.shape.memoryMb * Math.max(version.ready, 1));
}
