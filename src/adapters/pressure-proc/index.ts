import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Clock } from '../../core/base/clock.ts';
import type { CpuReading } from '../../core/domain/cpu-pressure.ts';

/** Files of the kernel; the first pressure file that can be read is the one that counts. */
export interface PressureFiles {
  readonly loadavg: string;
  readonly pressure: readonly string[];
}

/** The machine's own numbers, and where those are hidden (in a container) those of the control group it is. */
export const PRESSURE_FILES: PressureFiles = {
  loadavg: '/proc/loadavg',
  pressure: ['/proc/pressure/cpu', '/sys/fs/cgroup/cpu.pressure'],
};

/**
 * Reads how short of processors this machine is; call it about once a second. Undefined where the kernel does not tell. The
 * task that reads is not counted. Files of a few bytes in memory: read at once.
 */
export class CpuPressureReader {
  private readonly clock: Clock;
  private readonly files: PressureFiles;
  private readonly cpus: number;
  private pressureFile: string | undefined;
  private last: { readonly at: number; readonly waitedMicros: number } | undefined = undefined;

  constructor(clock: Clock, files: PressureFiles = PRESSURE_FILES, machineCpus: number = cpus().length) {
    this.clock = clock;
    this.files = files;
    // The count of runnable tasks is of the whole machine, whatever CPUs this process may use.
    this.cpus = Math.max(1, machineCpus);
    this.pressureFile = files.pressure.find((path) => waitedMicros(contents(path)) !== undefined);
    this.waiting();
  }

  read(): CpuReading | undefined {
    const waiting = this.waiting();
    const runnable = runnableTasks(contents(this.files.loadavg));
    if (runnable === undefined) return undefined;
    const runnablePerCpu = Math.max(0, runnable - 1) / this.cpus;
    return waiting === undefined ? { runnablePerCpu } : { runnablePerCpu, waiting };
  }

  private waiting(): number | undefined {
    if (this.pressureFile === undefined) return undefined;
    const waited = waitedMicros(contents(this.pressureFile));
    const at = this.clock.monotonic();
    const { last } = this;
    this.last = waited === undefined ? undefined : { at, waitedMicros: waited };
    if (waited === undefined || last === undefined || at <= last.at) return undefined;
    return Math.min(1, Math.max(0, (waited - last.waitedMicros) / 1_000 / (at - last.at)));
  }
}

/** The count before the slash in `0.20 0.18 0.12 1/80 11206`. */
function runnableTasks(loadavg: string): number | undefined {
  const digits = /^\S+ \S+ \S+ (\d+)\//.exec(loadavg)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The total of the line `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`. */
function waitedMicros(pressure: string): number | undefined {
  const digits = /^some .*\btotal=(\d+)$/m.exec(pressure)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Empty when it cannot be read: a kernel without, or told not to count. */
function contents(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
