import type { Platform } from '../conformance/start.ts';

/** Ours and the baseline, measured side by side in one run: only their ratio is quoted. */
export interface Pair {
  readonly ours: number;
  readonly baseline: number;
}

export interface Measurement {
  /** What was measured, e.g. `p50`. */
  readonly measure: string;
  readonly unit: string;
  /** One pair a round, alternating in time. */
  readonly rounds: readonly Pair[];
  /** The ratio that the design asks for, at most; undefined: recorded without a goal. */
  readonly goal?: number;
}

/** One line (or a few) of the table in docs/SPECIFICATION.md. A row alone takes less than a minute. */
export interface Row {
  readonly name: string;
  readonly baseline: string;
  run(platform: () => Promise<Platform>): Promise<readonly Measurement[]>;
}

export const ROUNDS = 5;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value below which `share` (0..1) of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
