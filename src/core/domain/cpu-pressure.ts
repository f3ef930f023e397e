/** How short of processors one machine is at a moment. */
export interface CpuReading {
  /** Tasks that run or could run, for each CPU of the machine: how deep the queue in front of a CPU is. */
  readonly runnablePerCpu: number;
  /**
   * Share of the time since the last reading in which some task waited for a CPU, 0..1 (the kernel's pressure stall
   * information, `some`). It says that tasks wait, not how many. Absent: the kernel does not tell.
   */
  readonly waiting?: number;
}

/** What is known of one machine; times are of one monotonic clock, milliseconds. */
export interface CpuPressure {
  /** Of the last reading. */
  readonly at: number;
  /** Since when every reading has been deep; undefined: the last was not. */
  readonly since: number | undefined;
}

/**
 * What counts as pressure. The depth is far beyond what a machine that is merely busy has: a call that needs a millisecond of
 * CPU waits about this many time slices for it. Starts of instances come in bursts shorter than `sustainedMs`.
 */
export const CPU_PRESSURE = {
  /** Runnable tasks per CPU from which a reading is deep. */
  runnablePerCpu: 16,
  /** Once under pressure, it lasts until a reading is below this: no flapping around one number. */
  relievedPerCpu: 12,
  /** Share of time in which tasks must wait, where the kernel tells. */
  waiting: 0.5,
  /** Deep readings must span this long, milliseconds. */
  sustainedMs: 3_000,
  /** A reading older than this says nothing any more, milliseconds. */
  expiresMs: 3_500,
} as const;

/** What is known after one more reading. A gap longer than readings last starts the count anew. */
export function pressureAfter(before: CpuPressure | undefined, reading: CpuReading, now: number): CpuPressure {
  const known = before !== undefined && now - before.at <= CPU_PRESSURE.expiresMs ? before : undefined;
  const from = underPressure(known, now) ? CPU_PRESSURE.relievedPerCpu : CPU_PRESSURE.runnablePerCpu;
  const waits = reading.waiting === undefined || reading.waiting >= CPU_PRESSURE.waiting;
  const deep = reading.runnablePerCpu >= from && waits;
  return { at: now, since: deep ? (known?.since ?? now) : undefined };
}

/** Whether the machine has been short of processors for long enough, by a reading that still counts. */
export function underPressure(pressure: CpuPressure | undefined, now: number): boolean {
  if (pressure?.since === undefined || now - pressure.at > CPU_PRESSURE.expiresMs) return false;
  return pressure.at - pressure.since >= CPU_PRESSURE.sustainedMs;
}
