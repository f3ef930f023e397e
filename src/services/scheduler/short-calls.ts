import type { ReleaseOutcome } from './events.ts';
import type { InstanceState, SchedulerState, VersionState, RequestState } from './state.ts';

/** Calls that may be in flight on one instance, the running one included: 16 of 0.2 ms make a wait of 3 ms. */
const GATHERED = 16;
/** Quick calls in a row that make a version's calls short, and how much one that is not takes away again. */
const PROVEN = 32;
const SUREST = 64;
const DOUBT = 8;

/**
 * The instance whose running call a new call waits behind, or undefined: it takes the free instance `free`. Only calls of
 * versions proven short wait like that, and only in place of an instance that is free: limits let in as many calls as before,
 * and a call that is taken back finds an instance. A function with a limit of its own is left alone: each call counts there.
 */
export function gatheringAt(version: VersionState, free: InstanceState): InstanceState | undefined {
  const { gathering, shape } = version;
  if (version.quickness < PROVEN || shape.concurrency > 1 || shape.exclusive) return undefined;
  if (version.floor.balanced || version.function.limit !== undefined) return undefined;
  if (gathering?.phase === 'ready' && gathering.inFlight > 0 && gathering.inFlight < GATHERED) {
    if (gathering.quick && gathering.adoptedBusy === 0 && version.behind < version.freeSlots) return gathering;
  }
  version.gathering = free;
  return undefined;
}

/** Gives the call a lease on an instance that is busy with another. */
export function grantBehind(state: SchedulerState, request: RequestState, instance: InstanceState, now: number): void {
  const { version } = instance;
  instance.inFlight++;
  version.behind++;
  version.lastGrantAt = now;
  version.callsSinceNone++;
  request.instance = instance;
  request.grantedAt = now;
  const { epoch } = state;
  state.effects.push({
    type: 'grant',
    request: request.id,
    instance: instance.id,
    epoch,
    cold: false,
    first: false,
    behind: true,
  });
}

/** What the end of a call says about the version's calls. One that had to be taken back begins the proof anew. */
export function learnQuickness(version: VersionState, instance: InstanceState, outcome: ReleaseOutcome): void {
  if (outcome === 'quick') {
    instance.quick = true;
    if (version.quickness < SUREST) version.quickness++;
  } else if (outcome === 'ok') version.quickness = Math.max(0, version.quickness - DOUBT);
  else version.quickness = 0;
}
