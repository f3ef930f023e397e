import type { VersionShape } from './events.ts';
import { isLearnt, keepAliveMemory, wakeAt } from './keep-alive.ts';
import { addInstance } from './lifecycle.ts';
import { type SchedulerState, type VersionState, versionState } from './state.ts';

/** A call of this version is due at `at`: an instance will be ready then. */
export function expectCall(state: SchedulerState, shape: VersionShape, at: number, now: number): void {
  const version = versionState(state, shape);
  if (!isLearnt(version) || version.retired || at <= now) return;
  keepAliveMemory(state, version).expected.add(at);
  scheduleWake(state, version, now);
}

/** Sets the time at which a version without instances gets one ahead of its next call. */
export function scheduleWake(state: SchedulerState, version: VersionState, now: number): void {
  if (version.ready + version.starting > 0 || version.retired) return;
  const at = wakeAt(state, version, now);
  if (at < Number.POSITIVE_INFINITY) state.wakeTimers.set(version.wakeTimer, at);
  else state.wakeTimers.clear(version.wakeTimer);
}

/**
 * Starts one instance ahead of a call that is only expected, when there is room for it: nobody's instance is ended for that,
 * and a version whose starts fail is not tried for nobody.
 */
export function wake(state: SchedulerState, version: VersionState, now: number): void {
  const { shape, function: owner } = version;
  if (version.retired || version.ready + version.starting > 0 || !shape.onDemand || shape.exclusive) return;
  if (version.failures > 0 || state.starting >= state.settings.startsAtOnce || state.blocked.size > 0) return;
  if (owner.limit !== undefined && owner.instances >= owner.limit) return;
  if (owner.limit === undefined && owner.account.shared >= owner.account.limit - owner.account.reserved) return;
  if (state.memoryUsedMb + shape.memoryMb > (state.memoryCapacityMb ?? Number.POSITIVE_INFINITY)) return;
  const instance = addInstance(state, version, { id: state.nextInstance++, phase: 'starting', now, cause: 0 });
  state.effects.push({ type: 'start', instance: instance.id, version: shape, cause: 0 });
}
