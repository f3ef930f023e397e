import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { InstanceUsage } from '../../core/ports/node-pool.ts';
import type { SandboxHandle } from '../../core/ports/sandbox.ts';

export interface SampledInstance {
  readonly id: string;
  readonly runningHandle: SandboxHandle | undefined;
}

/** Read at the same time: enough to keep the disk queue short, few enough not to crowd out other work. */
const PARALLEL = 8;

/**
 * Reads memory and CPU time of all instances about once per `periodMs` and gives them in one batch. A round starts after the
 * one before has ended, so a slow host is not loaded further.
 */
export class UsageSampler implements Disposable {
  private timer: Disposable | undefined;
  private stopped = false;
  private readonly clock: Clock;
  private readonly periodMs: number;
  private readonly instances: () => Iterable<SampledInstance>;
  private readonly report: (usages: readonly InstanceUsage[]) => void;

  constructor(
    clock: Clock,
    periodMs: number,
    instances: () => Iterable<SampledInstance>,
    report: (usages: readonly InstanceUsage[]) => void,
  ) {
    this.clock = clock;
    this.periodMs = periodMs;
    this.instances = instances;
    this.report = report;
    this.next();
  }

  dispose(): void {
    this.stopped = true;
    this.timer?.dispose();
  }

  private next(): void {
    if (this.stopped) return;
    this.timer = this.clock.after(this.periodMs, () => void this.round().finally(() => this.next()));
  }

  private async round(): Promise<void> {
    const queue = [...this.instances()];
    const usages: InstanceUsage[] = [];
    const worker = async () => {
      for (let instance = queue.pop(); instance !== undefined; instance = queue.pop()) {
        const usage = await sample(instance);
        if (usage !== undefined) usages.push(usage);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    if (usages.length > 0 && !this.stopped) this.report(usages);
  }
}

async function sample(instance: SampledInstance): Promise<InstanceUsage | undefined> {
  try {
    const stats = await instance.runningHandle?.stats();
    if (stats === undefined) return undefined;
    const { memoryPeakBytes, memoryBytes, cpuMicros } = stats;
    return { instanceId: instance.id, memoryPeakBytes, memoryBytes, cpuMicros };
  } catch {
    // It is ending: its exit says the rest.
    return undefined;
  }
}
