import type { RejectReason } from './events.ts';
import { drain, end } from './lifecycle.ts';
import type { AccountState, FunctionState, InstanceState, SchedulerState, VersionState } from './state.ts';

/**
 * A function without an instance when the memory of all nodes is taken by busy instances of others: one instance of whoever has
 * most gives way after its calls, so that nobody is refused for being small. Max-min: it must leave the giver, even then, with
 * at least as much as the taker gets; between accounts first, then between the functions of one.
 */

/** True when a call of this version may wait for room although there is none: some instance will give way for it. O(instances). */
export function mayClaim(state: SchedulerState, version: VersionState): boolean {
  if (version.ready + version.starting > 0) return false;
  return isPending(version.claim) || giver(state, version) !== undefined;
}

/** Makes an instance give way for this version, once. False when nobody has more than a fair share. */
export function claim(state: SchedulerState, version: VersionState): boolean {
  if (version.ready + version.starting > 0) return false;
  if (isPending(version.claim)) return true;
  const instance = giver(state, version);
  if (instance === undefined) return false;
  if (instance.inFlight > 0) drain(state, instance);
  else end(state, instance, undefined);
  version.claim = instance;
  return true;
}

/** Why a call finds no room in memory: undefined while it may wait for what gives way. */
export function memoryRefusal(state: SchedulerState, version: VersionState): RejectReason | undefined {
  return mayClaim(state, version) ? undefined : 'no-capacity';
}

function isPending(instance: InstanceState | undefined): boolean {
  return instance?.phase === 'draining' || instance?.phase === 'stopping';
}

/** The instance that gives way: of the account, then the function with most memory, the one with the fewest calls. */
function giver(state: SchedulerState, version: VersionState): InstanceState | undefined {
  const accounts = new Map<AccountState, number>();
  const functions = new Map<FunctionState, number>();
  for (const { phase, reserved, version: other } of state.instances.values()) {
    if (phase === 'stopping' || phase === 'draining') continue;
    const { account } = other.function;
    accounts.set(account, (accounts.get(account) ?? 0) + other.shape.memoryMb);
    if (!reserved) functions.set(other.function, (functions.get(other.function) ?? 0) + other.shape.memoryMb);
  }
  const own = version.function;
  const wanted = version.shape.memoryMb;
  let best: FunctionState | undefined;
  let most: readonly [number, number] = [0, 0];
  for (const [owner, held] of functions) {
    if (owner === own) continue;
    const ofAccount = accounts.get(owner.account) ?? 0;
    const large = largest(owner);
    const sameAccount = owner.account === own.account;
    const fair = sameAccount
      ? held - large >= (functions.get(own) ?? 0) + wanted
      : ofAccount - large >= (accounts.get(own.account) ?? 0) + wanted;
    if (!fair || ofAccount < most[0] || (ofAccount === most[0] && held <= most[1])) continue;
    best = owner;
    most = [ofAccount, held];
  }
  return best === undefined ? undefined : leastBusy(best);
}

function largest(owner: FunctionState): number {
  let most = 0;
  for (const { shape } of owner.versions) most = Math.max(most, shape.memoryMb);
  return most;
}

function leastBusy(owner: FunctionState): InstanceState | undefined {
  let found: InstanceState | undefined;
  for (const version of owner.versions) {
    for (const instance of version.instances) {
      if (instance.phase !== 'ready' || instance.reserved) continue;
      if (found === undefined || instance.inFlight < found.inFlight) found = instance;
    }
  }
  return found;
}
