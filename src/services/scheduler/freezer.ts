import { Alarm } from '../../core/base/alarm.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { Logger } from '../../core/base/log.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';
import { type InstanceRecord, standsStill } from './instance-record.ts';
import { Shrinker } from './shrinker.ts';
import type { InstanceState, SchedulerState } from './state.ts';

export interface FreezerDeps {
  readonly state: SchedulerState;
  readonly record: (instance: number) => InstanceRecord | undefined;
  readonly pool: NodePool;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Freezes instances between calls (FC reference 7). Warm calls pay one comparison: an instance is frozen only once it has
 * been idle for `freezeAfterMs`, found by a look at the idle list that is due while something on it still runs.
 */
export class Freezer implements Disposable {
  private readonly deps: FreezerDeps;
  private readonly alarm: Alarm;
  private readonly shrinker: Shrinker;
  private armed = false;

  constructor(deps: FreezerDeps) {
    this.deps = deps;
    this.alarm = new Alarm(deps.clock, () => this.round());
    this.shrinker = new Shrinker(deps);
  }

  /** After every decision: sees to it that the newest idle instance is looked at in time. */
  look(): void {
    if (this.armed) return;
    const { idle, reservedIdle } = this.deps.state;
    for (const newest of [idle.first, reservedIdle.first]) {
      if (newest !== undefined && this.deps.record(newest.id)?.pause === 'runs') this.arm(newest.idleSince);
    }
  }

  /** A call goes to this instance, now; the thaw travels beside it. */
  thaw(record: InstanceRecord): void {
    if (standsStill(record)) record.pause = 'runs';
    this.deps.pool.thaw(record.instanceId).catch((error: unknown) => {
      this.deps.logger.log('error', 'an instance could not be thawed and is removed', {
        instance: record.instanceId,
        error: String(error),
      });
      this.deps.pool.kill(record.instanceId, 'killed').catch(() => undefined);
    });
  }

  /** Whether the instance may be frozen between calls at all. */
  setIdleMode(record: InstanceRecord, idle: 'frozen' | 'running'): void {
    if (idle === 'frozen') {
      if (record.pause === 'never') record.pause = 'runs';
      return;
    }
    if (standsStill(record)) this.thaw(record);
    record.pause = 'never';
  }

  dispose(): void {
    this.shrinker.dispose();
    this.alarm.dispose();
  }

  private arm(idleSince: number): void {
    const { freezeAfterMs } = this.deps.state.settings;
    if (idleSince + freezeAfterMs === Number.POSITIVE_INFINITY) return;
    this.armed = true;
    this.alarm.wakeBy(idleSince + freezeAfterMs);
  }

  private round(): void {
    this.armed = false;
    const { state, clock } = this.deps;
    const due = clock.monotonic() - state.settings.freezeAfterMs;
    this.arm(Math.min(this.freezeDue(state.idle, due), this.freezeDue(state.reservedIdle, due)));
  }

  /** Freezes what has been idle since before `due`; answers since when the next one has been idle. */
  private freezeDue(idle: Iterable<InstanceState>, due: number): number {
    let next = Number.POSITIVE_INFINITY;
    // Newest first: behind a frozen one all have been looked at.
    for (const instance of idle) {
      const record = this.deps.record(instance.id);
      if (record === undefined || record.pause === 'never') continue;
      if (standsStill(record)) break;
      if (instance.idleSince > due) next = Math.min(next, instance.idleSince);
      else {
        this.freeze(record);
        if (instance.reserved) this.shrinker.frozen(instance.idleSince);
      }
    }
    return next;
  }

  private freeze(record: InstanceRecord): void {
    record.pause = 'frozen';
    this.deps.pool.freeze(record.instanceId).catch((error: unknown) => {
      // It runs on, and is not tried again: the host cannot, or the agent is away.
      if (record.pause === 'frozen') record.pause = 'never';
      this.deps.logger.log('warn', 'an idle instance could not be frozen', {
        instance: record.instanceId,
        error: String(error),
      });
    });
  }
}
