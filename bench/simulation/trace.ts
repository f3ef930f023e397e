import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Load, SimulatedCall, SimulatedFunction } from './load.ts';
import { Seeded } from './seeded.ts';
import { timerSeries } from './timer-series.ts';

const FOLDER = join(import.meta.dirname, '../data/azure-2019-sample');
const MINUTE = 60_000;
const SHARES = [0, 0.01, 0.25, 0.5, 0.75, 0.99, 1];

/** How calls lie inside a minute: at independent uniform times, or at equal distances from a second of the function's own. */
export type Spread = 'poisson' | 'even';

interface Row {
  readonly [column: string]: string;
}

/**
 * The Azure Functions sample as a load (see bench/data/azure-2019-sample/README.md). The trace counts calls per minute. Inside
 * a minute calls of timers lie where their schedule puts them (timer-series.ts), and each fire announces the next, as the platform's
 * own timers do; all others come at independent uniform times (a Poisson process, given the count). Durations are drawn from the percentiles of the function, with straight lines between
 * them. All of it from one seed.
 */
export function traceLoad(seed: number, spread: Spread = 'poisson'): Load {
  const rows = readRows('invocations_per_minute.csv');
  const durations = new Map(readRows('durations_ms.csv').map((row) => [row['HashFunction'], row]));
  const memory = new Map(readRows('memory_mb.csv').map((row) => [row['HashFunction'], row]));
  const random = new Seeded(seed);
  const functions: SimulatedFunction[] = [];
  const calls: SimulatedCall[] = [];
  const announcements: { from: number; at: number; function: number }[] = [];
  let minutes = 0;
  for (const row of rows) {
    const index = functions.length;
    const timer = row['Trigger'] === 'timer';
    const counts = Object.keys(row)
      .filter((column) => /^\d+$/.test(column))
      .map((column) => Number(row[column]));
    minutes = Math.max(minutes, counts.length);
    const hash = row['HashFunction'] ?? '';
    const memoryMb = Math.max(1, Math.round(Number(memory.get(hash)?.['AverageAllocatedMb'] ?? 128)));
    functions.push({ name: `f${index}`, memoryMb, timer });
    const draw = durationOf(durations.get(hash), random);
    const fires = timer ? timerSeries(counts, random) : undefined;
    const times = fires?.times ?? (spread === 'even' ? evenTimes(counts, random) : poissonTimes(counts, random));
    for (const at of times) calls.push({ at, function: index, execMs: draw() });
    for (const [i, at] of fires?.scheduled.entries() ?? []) {
      announcements.push({ from: fires?.scheduled[i - 1] ?? 0, at, function: index });
    }
  }
  calls.sort((a, b) => a.at - b.at);
  announcements.sort((a, b) => a.from - b.from);
  return { functions, calls, announcements, lengthMs: minutes * MINUTE };
}

/** A load of a part of the functions: the others never call. */
export function partOf(load: Load, take: (index: number) => boolean): Load {
  return {
    ...load,
    calls: load.calls.filter((call) => take(call.function)),
    announcements: load.announcements.filter((fire) => take(fire.function)),
  };
}

/** A load of a part of the time: nothing is known of what was before. */
export function hoursOf(load: Load, from: number, to: number): Load {
  const within = (at: number): boolean => at >= from && at < to;
  return {
    ...load,
    lengthMs: to - from,
    calls: load.calls.filter((call) => within(call.at)).map((call) => ({ ...call, at: call.at - from })),
    announcements: load.announcements
      .filter((fire) => within(fire.at))
      .map((fire) => ({ ...fire, from: Math.max(0, fire.from - from), at: fire.at - from })),
  };
}

function readRows(file: string): Row[] {
  const [head = '', ...lines] = readFileSync(join(FOLDER, file), 'utf8').trim().split(/\r?\n/);
  const columns = head.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']));
  });
}

function durationOf(row: Row | undefined, random: Seeded): () => number {
  const values = [0, 1, 25, 50, 75, 99, 100].map((p) => Number(row?.[`percentile_Average_${p}`] ?? 100));
  return () => {
    const share = random.float();
    let i = 1;
    while (i < SHARES.length - 1 && share > (SHARES[i] ?? 1)) i++;
    const [low = 0, high = 1] = [SHARES[i - 1], SHARES[i]];
    const [from = 0, to = 0] = [values[i - 1], values[i]];
    return Math.max(1, from + ((to - from) * (share - low)) / (high - low));
  };
}

function poissonTimes(counts: readonly number[], random: Seeded): number[] {
  return counts.flatMap((count, minute) => Array.from({ length: count }, () => (minute + random.float()) * MINUTE));
}

function evenTimes(counts: readonly number[], random: Seeded): number[] {
  const second = random.float();
  return counts.flatMap((count, minute) =>
    Array.from({ length: count }, (_, i) => (minute + (((second + i) / count) % 1)) * MINUTE).sort((a, b) => a - b),
  );
}
