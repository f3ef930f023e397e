import { backoffDelay } from '../../core/base/backoff.ts';
import { servesOnDemand, tryStart } from './capacity.ts';
import { planInterval, startsWanted } from './demand.ts';
import { greedyDualVictim } from './keep-alive-eviction.ts';
import type { RejectReason, StartFailureCause } from './events.ts';
import { end, grant, offer } from './lifecycle.ts';
import { fillFloor } from './reserved-floor.ts';
import {
  forgetIfDone,
  type InstanceState,
  type RequestState,
  removeRequest,
  type SchedulerState,
  type VersionState,
} from './state.ts';

/** Decisions about waiting calls: who gets a free slot, when instances are started, who is told that it will not run. */

/** Hands the free slots of a ready instance to the waiting calls, oldest first, and offers what is left. */
export function serve(state: SchedulerState, instance: InstanceState, now: number, cold: boolean): void {
  const version = instance.version;
  let start: 'warm' | 'cold' | 'cold-first' = cold ? 'cold-first' : 'warm';
  while (hasFreeSlot(instance)) {
    const request = version.waiting.shift();
    if (request === undefined) break;
    grant(state, request, instance, now, start);
    if (cold) start = 'cold';
  }
  if (!hasFreeSlot(instance)) return;
  if (instance.inFlight === 0 && (version.retired || overLimit(version))) end(state, instance, undefined);
  else offer(state, instance, now);
}

function hasFreeSlot(instance: InstanceState): boolean {
  const { concurrency, exclusive } = instance.version.shape;
  return exclusive ? !instance.used : instance.inFlight < concurrency;
}

function overLimit(version: VersionState): boolean {
  const owner = version.function;
  if (owner.limit !== undefined) return owner.instances > owner.limit;
  return owner.account.shared > owner.account.limit - owner.account.reserved;
}

/** Starts what the waiting calls of a version need, as far as there is room, and comes back to it later. */
export function plan(state: SchedulerState, version: VersionState, now: number): void {
  if (version.reserved < version.floor.count) fillFloor(state, version, now);
  if (version.waiting.size === 0) return;
  state.planTimers.set(version.planTimer, now + planInterval(state, version));
  if (now < version.notBefore) {
    state.planTimers.set(version.planTimer, version.notBefore);
    return;
  }
  if (!servesOnDemand(version)) return;
  let wanted = startsWanted(state, version, now);
  if (wanted <= 0 || version.blocked.list === state.blocked) return;
  version.blocked.unlink();
  if (state.blocked.size > 0) {
    // Others wait for the same room and came first.
    state.blocked.pushBack(version.blocked);
    return;
  }
  while (wanted-- > 0) {
    if (!startOne(state, version, now)) return;
  }
}

/** False when there is no room: the version waits for its turn, or its calls are refused when nothing will ever serve them. */
function startOne(state: SchedulerState, version: VersionState, now: number): boolean {
  const result = tryStart(state, version, now);
  if (result === 'started') return true;
  if (result === 'later') {
    state.blocked.pushBack(version.blocked);
    return false;
  }
  if (version.ready + version.starting === 0) rejectAll(state, version, REASONS[result]);
  else if (result === 'account' || result === 'account-memory')
    version.function.account.blocked.pushBack(version.blocked);
  return false;
}

const REASONS = {
  function: 'function-limit',
  account: 'account-limit',
  'account-memory': 'account-memory',
  memory: 'no-capacity',
} as const;

/**
 * Room has become free: the versions that wait for it get their turn, one start each per round, so that a function that
 * wants many instances does not keep the others from their first.
 */
export function pump(state: SchedulerState, freed: InstanceState | undefined, now: number): void {
  const account = freed?.version.function.account;
  if (account !== undefined && account.blocked.size > 0) {
    const version = account.blocked.shift();
    if (version !== undefined) plan(state, version, now);
  }
  if (freed !== undefined && freed.version.function.limit !== undefined) {
    for (const version of freed.version.function.versions) plan(state, version, now);
  }
  // Ends: every turn takes a version out, or starts an instance that it wanted.
  for (;;) {
    const version = state.blocked.next();
    if (version === undefined) return;
    if (version.waiting.size === 0 || now < version.notBefore || startsWanted(state, version, now) <= 0) {
      version.blocked.unlink();
      continue;
    }
    const result = tryStart(state, version, now);
    if (result === 'later') return;
    if (result === 'started') {
      state.blocked.charge(version);
      continue;
    }
    version.blocked.unlink();
    if (version.ready + version.starting === 0) {
      rejectAll(state, version, REASONS[result]);
    } else if (result === 'account' || result === 'account-memory') {
      version.function.account.blocked.pushBack(version.blocked);
    }
  }
}

/**
 * Who hears of a failed start: the call it was made for. When nothing else is starting or ready for the version, everyone
 * who waits gets the same error, since they would only meet it again one by one. The next start waits (back-off), so callers
 * that keep coming cause a bounded number of starts.
 */
export function startFailed(
  state: SchedulerState,
  instance: InstanceState,
  cause: StartFailureCause,
  now: number,
): void {
  const version = instance.version;
  if (now - version.lastFailureAt > state.settings.forgetFailuresMs) version.failures = 0;
  version.lastFailureAt = now;
  version.notBefore = now + backoffDelay(state.settings.startBackoff, version.failures++, 0);
  if (cause === 'capacity' && retryCapacity(state, version)) return;
  // No room for more, but the calls have instances to wait for.
  if (cause === 'capacity' && version.ready + version.starting > 0) return;
  const concerned = state.requests.get(instance.cause);
  if (concerned?.place?.list !== undefined) reject(state, concerned, 'start-failed');
  if (version.ready + version.starting === 0) rejectAll(state, version, 'start-failed');
}

/** The node had less room than it seemed: an idle instance gives way and the calls wait for another try, a few times. */
function retryCapacity(state: SchedulerState, version: VersionState): boolean {
  const idle = greedyDualVictim(state);
  if (idle === undefined || version.capacityRetries >= state.settings.capacityRetries) return false;
  version.capacityRetries++;
  end(state, idle, undefined);
  return true;
}

function reject(state: SchedulerState, request: RequestState, reason: RejectReason): void {
  request.place?.unlink();
  removeRequest(state, request);
  state.effects.push({ type: 'reject', request: request.id, reason });
}

export function rejectAll(state: SchedulerState, version: VersionState, reason: RejectReason): void {
  for (const request of version.waiting) reject(state, request, reason);
  version.blocked.unlink();
  forgetIfDone(state, version);
}
