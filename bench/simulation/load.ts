import type { VersionShape } from '../../src/services/scheduler/events.ts';

/** One call of a simulated load. */
export interface SimulatedCall {
  /** Milliseconds since the simulation began. */
  readonly at: number;
  /** Index of the function. */
  readonly function: number;
  readonly execMs: number;
}

export interface SimulatedFunction {
  readonly name: string;
  readonly memoryMb: number;
  readonly timer: boolean;
}

/** What is replayed: functions, their calls in order of time, and the calls that a timer of the platform announces. */
export interface Load {
  readonly functions: readonly SimulatedFunction[];
  readonly calls: readonly SimulatedCall[];
  /** `from`: when the platform knows of it (the fire before); `at`: when the call comes. */
  readonly announcements: readonly { readonly from: number; readonly at: number; readonly function: number }[];
  readonly lengthMs: number;
}

/** How idle instances are kept: as the calls teach, or the same time for all. */
export type KeepAlive = 'learnt' | { readonly fixedMs: number };

export function shapeOf(fn: SimulatedFunction, keepAlive: KeepAlive, concurrency = 1): VersionShape {
  return {
    key: `1000000000000000/${fn.name}/LATEST@1`,
    account: '1000000000000000',
    functionKey: `1000000000000000/${fn.name}`,
    concurrency,
    exclusive: false,
    memoryMb: fn.memoryMb,
    idleMs: keepAlive === 'learnt' ? 300_000 : keepAlive.fixedMs,
    keepAlive: keepAlive === 'learnt' ? 'learnt' : 'fixed',
    onDemand: true,
  };
}
