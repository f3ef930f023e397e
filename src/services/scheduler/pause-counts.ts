import type { InstancePause, PauseCounts } from '../../core/ports/scheduling.ts';
import type { InstanceRecord } from './instance-record.ts';

/** Sums over these instances, by how they wait. */
export function countPauses(records: Iterable<InstanceRecord>): PauseCounts {
  const sums: Record<InstancePause, { instances: number; memoryBytes: number }> = {
    runs: { instances: 0, memoryBytes: 0 },
    frozen: { instances: 0, memoryBytes: 0 },
    shrunk: { instances: 0, memoryBytes: 0 },
  };
  for (const { pause, memoryBytes } of records) {
    const sum = sums[pause === 'never' ? 'runs' : pause];
    sum.instances++;
    sum.memoryBytes += memoryBytes;
  }
  return sums;
}
