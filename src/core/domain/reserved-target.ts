import type { ReservedConfigRecord, ScheduledTarget, TrackingPolicy } from './reserved-config.ts';
import { parseSchedule, policyTime, type TargetSchedule } from './reserved-time.ts';

/** When a schedule fires; wall-clock milliseconds. Passed in, because reading cron patterns takes a library. */
export interface Firing {
  /** The latest time at or before `until`. */
  latest(schedule: TargetSchedule, until: number): number | undefined;
  /** The first time after `after`. */
  next(schedule: TargetSchedule, after: number): number | undefined;
}

interface Window {
  readonly from: number;
  readonly until: number;
}

function windowOf(policy: { startTime: string; endTime: string; timeZone: string }): Window {
  const { startTime, endTime, timeZone } = policy;
  return {
    from: startTime === '' ? Number.NEGATIVE_INFINITY : (policyTime(startTime, timeZone) ?? Number.NEGATIVE_INFINITY),
    until: endTime === '' ? Number.POSITIVE_INFINITY : (policyTime(endTime, timeZone) ?? Number.POSITIVE_INFINITY),
  };
}

function contains({ from, until }: Window, at: number): boolean {
  return at >= from && at < until;
}

function scheduleOf(policy: ScheduledTarget): TargetSchedule | undefined {
  const schedule = parseSchedule(policy.scheduleExpression, policy.timeZone);
  return schedule.kind === 'invalid' ? undefined : schedule;
}

/**
 * The target of the scheduled policy that fired last among those in effect: inside their window, and fired in it since they were
 * put. So a policy that raises at eight and one that lowers at ten work together. Fired at the same time: the larger. Undefined:
 * none is in effect.
 */
export function scheduledTarget(policies: readonly ScheduledTarget[], now: number, firing: Firing): number | undefined {
  let best: { at: number; target: number } | undefined;
  for (const policy of policies) {
    const window = windowOf(policy);
    const schedule = scheduleOf(policy);
    if (schedule === undefined || !contains(window, now)) continue;
    const at = firing.latest(schedule, now);
    if (at === undefined || at < policy.since || !contains(window, at)) continue;
    const { target } = policy;
    if (best === undefined || at > best.at || (at === best.at && target > best.target)) best = { at, target };
  }
  return best?.target;
}

export function isInEffect(policy: TrackingPolicy, now: number): boolean {
  return contains(windowOf(policy), now);
}

/** The earliest time after `now` at which a schedule or a window may change the target; Infinity: never. */
export function nextChange(config: ReservedConfigRecord, now: number, firing: Firing): number {
  let next = Number.POSITIVE_INFINITY;
  const consider = (at: number | undefined): void => {
    if (at !== undefined && at > now) next = Math.min(next, at);
  };
  for (const policy of [...config.scheduled, ...config.tracking]) {
    const { from, until } = windowOf(policy);
    consider(from);
    consider(until);
  }
  for (const policy of config.scheduled) {
    const schedule = scheduleOf(policy);
    if (schedule !== undefined) consider(firing.next(schedule, now));
  }
  return next;
}

/** Share of the surplus that one step of shrinking gives back: a dip in the load does not empty the floor. */
const SHRINK_FACTOR = 0.5;

/**
 * One step of target tracking (FC reference 7): grows to `ceil(current x metric / target)` at once, shrinks by
 * `current x factor x (1 - metric / target)`, inside the policy's bounds. `metric` is the utilisation seen on `current` instances.
 */
export function trackedTarget(policy: TrackingPolicy, current: number, metric: number): number {
  const ratio = metric / policy.metricTarget;
  const wanted = ratio > 1 ? Math.ceil(current * ratio) : current - Math.floor(current * SHRINK_FACTOR * (1 - ratio));
  return Math.min(Math.max(wanted, policy.min), policy.max);
}

/**
 * How many instances a config wants now: the largest of what its schedules and its tracking policies say, and the default target
 * only while none of them is in effect. `tracked`: where each tracking policy stands, by name.
 */
export function desiredTarget(
  config: ReservedConfigRecord,
  now: number,
  firing: Firing,
  tracked: (policy: TrackingPolicy) => number,
): number {
  const targets: number[] = [];
  const scheduled = scheduledTarget(config.scheduled, now, firing);
  if (scheduled !== undefined) targets.push(scheduled);
  for (const policy of config.tracking) if (isInEffect(policy, now)) targets.push(tracked(policy));
  return targets.length === 0 ? config.defaultTarget : Math.max(...targets);
}

export interface Share {
  readonly versionId: string;
  readonly count: number;
}

/**
 * Splits a target over weighted versions (FC reference 7, canary): in proportion, rounded so that the sum is the target; what is left
 * goes to the largest remainders, the earlier version first.
 */
export function sharesOf(target: number, weights: readonly { versionId: string; weight: number }[]): Share[] {
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  if (total <= 0) return weights.map(({ versionId }, index) => ({ versionId, count: index === 0 ? target : 0 }));
  const exact = weights.map(({ versionId, weight }) => ({ versionId, exact: (target * weight) / total }));
  const rounded = exact.map((share) => ({ ...share, count: Math.floor(share.exact + 1e-9) }));
  let left = target - rounded.reduce((sum, { count }) => sum + count, 0);
  for (const share of rounded.toSorted((a, b) => b.exact - b.count - (a.exact - a.count))) {
    if (left-- <= 0) break;
    share.count++;
  }
  return rounded.map(({ versionId, count }) => ({ versionId, count }));
}
