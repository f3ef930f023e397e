import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { SandboxStats } from '../../core/ports/sandbox.ts';

interface ProcessRow {
  readonly pid: number;
  readonly group: number;
  readonly state: string;
  readonly ticks: number;
  readonly startTime: string;
}

/** Clock ticks of /proc are hundredths of a second on every Linux that Node runs on. */
const MICROS_PER_TICK = 10_000;

function rowOf(pid: number): ProcessRow | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [user, system, childUser, childSystem] = fields.slice(11, 15).map(Number);
    return {
      pid,
      group: Number(fields[2]),
      state: fields[0] ?? '',
      ticks: (user ?? 0) + (system ?? 0) + (childUser ?? 0) + (childSystem ?? 0),
      startTime: fields[19] ?? '',
    };
  } catch {
    return undefined;
  }
}

/** Start time of a process that runs; undefined when it is gone or only waits to be collected. */
export function startTimeOf(pid: number): string | undefined {
  const row = rowOf(pid);
  return row === undefined || row.state === 'Z' ? undefined : row.startTime;
}

function members(group: number): ProcessRow[] {
  return readdirSync('/proc').flatMap((entry) => {
    const row = /^\d+$/.test(entry) ? rowOf(Number(entry)) : undefined;
    return row !== undefined && row.group === group && row.state !== 'Z' ? [row] : [];
  });
}

function kilobytes(pid: number, key: string): number {
  try {
    return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Usage of a process group: sums over its members, so memory they share counts for each. */
export function usageOf(group: number): SandboxStats {
  const rows = members(group);
  const sum = (value: (row: ProcessRow) => number): number => rows.reduce((total, row) => total + value(row), 0);
  return {
    memoryBytes: sum((row) => kilobytes(row.pid, 'VmRSS')) * 1024,
    memoryPeakBytes: sum((row) => kilobytes(row.pid, 'VmHWM')) * 1024,
    cpuMicros: sum((row) => row.ticks) * MICROS_PER_TICK,
    processes: rows.length,
  };
}

/** Kills every process whose output goes to the FIFO at `path`: those of a sandbox whose process id nobody wrote down. */
export function killWriters(path: string): void {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (readlinkSync(`/proc/${entry}/fd/1`) === path) process.kill(Number(entry), 'SIGKILL');
    } catch {
      // It ended while we looked, or belongs to somebody else.
    }
  }
}
