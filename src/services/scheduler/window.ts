import type { SchedulerSettings } from './settings.ts';
import type { VersionState } from './state.ts';

/** Calls that a window is to hold: enough for a rate that is right by a fifth or so, few enough to follow the load. */
const CALLS = 32;
/** Dense calls: a fraction of a second. Sparse ones: minutes. */
const SHORTEST_MS = 200;
const LONGEST_MS = 300_000;

/** Counts one arrival. A window ends with its time, or as soon as it holds enough calls; the next is as long as those took. */
export function countArrival(version: VersionState, now: number, settings: SchedulerSettings): void {
  const elapsed = now - version.windowStart;
  const length = version.windowMs === 0 ? settings.windowMs : version.windowMs;
  if (elapsed >= length || (version.windowCount >= CALLS && elapsed >= SHORTEST_MS)) {
    const rate = version.windowCount / Math.max(elapsed, SHORTEST_MS);
    version.previousRate = rate;
    version.windowMs = rate === 0 ? settings.windowMs : Math.min(Math.max(CALLS / rate, SHORTEST_MS), LONGEST_MS);
    version.windowCount = 0;
    version.windowStart = now;
  }
  version.windowCount++;
}

/** Arrivals per millisecond: of this window as far as it has come, and of the one before for the rest. */
export function arrivalRate(version: VersionState, now: number, settings: SchedulerSettings): number {
  const elapsed = now - version.windowStart;
  const length = version.windowMs === 0 ? settings.windowMs : version.windowMs;
  // More than a window is meant to hold: the load has risen, the window that is running tells by itself.
  if (version.windowCount >= CALLS) return version.windowCount / Math.max(elapsed, Math.min(length, SHORTEST_MS));
  if (elapsed >= length) return version.windowCount / elapsed;
  return (version.windowCount + version.previousRate * (length - elapsed)) / length;
}
