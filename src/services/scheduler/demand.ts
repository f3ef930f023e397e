import type { SchedulerState, VersionState } from './state.ts';
import { arrivalRate } from './window.ts';

const SMOOTHING = 0.25;

/** Exponentially smoothed value; the first measurement counts in full. */
export function smooth(old: number, measured: number): number {
  const value = Math.max(measured, 0.01);
  return old === 0 ? value : old + SMOOTHING * (value - old);
}

/**
 * How many more instances to start now for the calls that wait. The four steps: (1) the rate of arrivals over a window that
 * fits the version's density of calls, (2) the rate at which calls must leave the queue, given its length, the arrivals and what
 * the ready instances serve, (3) the instances that takes, given execution time and concurrency, (4) less those starting. Looks one start time ahead:
 * what the queue will be then, given how fast calls arrive and how fast the ready instances answer, is what new instances
 * are for; they need to be as many as work it off within one more start time (or one execution, when that is longer). So a
 * queue of short calls is left to the slots that will be free long before a new instance is, and long calls get an instance
 * each. Never more than one slot per waiting call. Negative or 0 = none.
 */
export function startsWanted(state: SchedulerState, version: VersionState, now: number): number {
  const { settings } = state;
  const { concurrency, exclusive } = version.shape;
  const waiting = version.waiting.size;
  const most = Math.ceil(waiting / concurrency);
  // After a failed start one more tells whether it was a mishap or the function.
  if (version.failures > 0) return Math.min(most, 1) - version.starting;
  if (waiting === 0 || exclusive) return most - version.starting;
  const live = version.ready + version.starting;
  const startMs = version.startMs === 0 ? state.startMs : version.startMs;
  // Everything that runs has run at least since the last grant: a known time may be outdated, an unknown one has a floor.
  const sinceGrant = version.ready > 0 ? now - version.lastGrantAt : 0;
  const execMs = Math.max(version.execMs, sinceGrant, 0.01);
  const served = (version.ready * concurrency) / execMs;
  const backlog = waiting + (arrivalRate(version, now, settings) - served) * startMs;
  let wanted = backlog <= 0 ? 0 : Math.ceil((backlog * execMs) / (concurrency * Math.max(execMs, startMs)));
  if (version.execMs === 0) wanted = Math.max(wanted, settings.startsUnmeasured - version.ready);
  if (live === 0) wanted = Math.max(wanted, 1);
  return Math.min(wanted, most) - version.starting;
}

/** When to look at the queue again if nothing happens before, milliseconds from now. */
export function planInterval(state: SchedulerState, version: VersionState): number {
  const startMs = version.startMs === 0 ? state.startMs : version.startMs;
  return Math.min(Math.max(startMs / 4, 10), 250);
}
