import { LIMITS } from '../../core/domain/limits.ts';
import { LOOP_DEFAULTS, type LoopLimits } from '../../core/domain/loop-limits.ts';

/** What an operator may change about the limits of an account. */
export interface SchedulerTuning {
  readonly instancesPerAccount: number;
  readonly callsPerAccount: number;
}

/** `TIDEMILL_TUNING`'s member `loops`: fields of `LoopLimits`, e.g. `{"loops":{"maxHops":8}}`. Throws like readSchedulerTuning. */
export function readLoopLimits(text: string | undefined): LoopLimits {
  return readMember(text, 'loops', LOOP_DEFAULTS);
}

/**
 * `TIDEMILL_TUNING` is a JSON object; its member `scheduler` holds fields of `SchedulerTuning`, e.g.
 * `{"scheduler":{"instancesPerAccount":1000}}`. An unknown field or a wrong type throws.
 */
export function readSchedulerTuning(text: string | undefined): SchedulerTuning {
  const defaults: SchedulerTuning = {
    instancesPerAccount: LIMITS.instancesPerAccount,
    callsPerAccount: LIMITS.callsPerAccount,
  };
  return readMember(text, 'scheduler', defaults);
}

function readMember<T extends object>(text: string | undefined, member: string, defaults: T): T {
  if (text === undefined || text === '') return defaults;
  const parsed: unknown = JSON.parse(text);
  const given: unknown = isRecord(parsed) ? (parsed[member] ?? {}) : undefined;
  if (!isRecord(given)) throw new Error(`TIDEMILL_TUNING must be a JSON object whose member "${member}" is an object`);
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaults)) throw new Error(`TIDEMILL_TUNING: there is no setting ${member}.${name}`);
    if (!Number.isInteger(value) || Number(value) < 1) {
      throw new Error(`TIDEMILL_TUNING: ${member}.${name} must be a whole number from 1`);
    }
  }
  return { ...defaults, ...given };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
