import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { InstanceUsage } from '../../core/ports/node-pool.ts';
import type { ReservedMetric } from '../../core/domain/reserved-config.ts';
import { shapeOf } from './known-versions.ts';
import type { FloorReport } from './reserved-capacity.ts';

interface Usage {
  /** Monotonic milliseconds of the newest reading. */
  readonly at: number;
  readonly cpuMicros: number;
  readonly memoryBytes: number;
  /** CPUs in use between the last two readings; undefined before there are two. */
  readonly cpus: number | undefined;
}

/** What instances use, from the nodes' readings. */
export class UsageReadings {
  private readonly byInstance = new Map<string, Usage>();

  take(usage: InstanceUsage, now: number): void {
    const { instanceId, cpuMicros, memoryBytes } = usage;
    const before = this.byInstance.get(instanceId);
    const elapsedMicros = before === undefined ? 0 : (now - before.at) * 1_000;
    const cpus =
      before === undefined || elapsedMicros <= 0
        ? before?.cpus
        : Math.max(0, cpuMicros - before.cpuMicros) / elapsedMicros;
    this.byInstance.set(instanceId, { at: now, cpuMicros, memoryBytes, cpus });
  }

  forget(instanceId: string): void {
    this.byInstance.delete(instanceId);
  }

  get(instanceId: string): Usage | undefined {
    return this.byInstance.get(instanceId);
  }
}

/** One version's reserved instances at one moment. */
export interface FloorSample {
  readonly spec: VersionSpec;
  readonly report: FloorReport;
  readonly usages: readonly (Usage | undefined)[];
}

/**
 * Utilisation of the reserved instances of a config, from 0 up: used / there is, over all its versions. Undefined when there is nothing to
 * measure yet: no instance is ready, or none has been read.
 */
export function utilisation(metric: ReservedMetric, samples: readonly FloorSample[]): number | undefined {
  let used = 0;
  let there = 0;
  for (const { spec, report, usages } of samples) {
    const { cpu, memorySize } = spec.config;
    if (metric === 'concurrency') {
      used += report.inFlight;
      there += report.ready * shapeOf(spec).concurrency;
      continue;
    }
    for (const usage of usages) {
      if (usage === undefined) continue;
      if (metric === 'memory') {
        used += usage.memoryBytes / 1_048_576;
        there += memorySize;
      } else if (usage.cpus !== undefined) {
        used += usage.cpus;
        there += cpu;
      }
    }
  }
  return there === 0 ? undefined : used / there;
}

/** Mean of what was added since it was last taken. */
export class Mean {
  private sum = 0;
  private count = 0;

  add(value: number): void {
    this.sum += value;
    this.count++;
  }

  /** Undefined when nothing was added. Begins anew. */
  take(): number | undefined {
    const mean = this.count === 0 ? undefined : this.sum / this.count;
    this.sum = 0;
    this.count = 0;
    return mean;
  }
}
