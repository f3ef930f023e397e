import { Alarm } from '../../core/base/alarm.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { FreezerDeps } from './freezer.ts';
import type { InstanceRecord } from './instance-record.ts';

/**
 * Takes the memory of reserved instances that stand still, instead of ending them. One that has been
 * idle for `shrinkAfterMs` is shrunk once: its runtime collects garbage, it is frozen again, and the kernel takes its pages.
 * Instances on demand are not: they end before that.
 */
export class Shrinker implements Disposable {
  private readonly deps: FreezerDeps;
  private readonly alarm: Alarm;
  private armed = false;

  constructor(deps: FreezerDeps) {
    this.deps = deps;
    this.alarm = new Alarm(deps.clock, () => this.round());
  }

  /** A reserved instance that is idle since then was frozen. */
  frozen(idleSince: number): void {
    if (!this.armed) this.arm(idleSince);
  }

  dispose(): void {
    this.alarm.dispose();
  }

  private arm(idleSince: number): void {
    const at = idleSince + this.deps.state.settings.shrinkAfterMs;
    if (at === Number.POSITIVE_INFINITY) return;
    this.armed = true;
    this.alarm.wakeBy(at);
  }

  private round(): void {
    this.armed = false;
    const { state, clock } = this.deps;
    const due = clock.monotonic() - state.settings.shrinkAfterMs;
    let next = Number.POSITIVE_INFINITY;
    for (const instance of state.reservedIdle) {
      const record = this.deps.record(instance.id);
      if (record?.pause !== 'frozen' || record.keepsMemory) continue;
      if (instance.idleSince > due) next = Math.min(next, instance.idleSince);
      else this.shrink(record);
    }
    this.arm(next);
  }

  private shrink(record: InstanceRecord): void {
    record.pause = 'shrunk';
    const { pool, logger } = this.deps;
    pool.shrink(record.instanceId).catch((error: unknown) => {
      logger.log('warn', 'an idle reserved instance could not be shrunk', {
        instance: record.instanceId,
        error: String(error),
      });
      // Not tried again: the host cannot. It may have been thawed for it, so it is frozen once more.
      record.keepsMemory = true;
      if (record.pause !== 'shrunk') return;
      record.pause = 'frozen';
      pool.freeze(record.instanceId).catch(() => {
        if (record.pause === 'frozen') record.pause = 'never';
      });
    });
  }
}
