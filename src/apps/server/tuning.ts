import { LIMITS } from '../../core/domain/limits.ts';

/** What an operator may change about the limits of an account. */
export interface SchedulerTuning {
  readonly instancesPerAccount: number;
  readonly callsPerAccount: number;
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
  if (text === undefined || text === '') return defaults;
  const parsed: unknown = JSON.parse(text);
  const given: unknown = isRecord(parsed) ? (parsed.scheduler ?? {}) : undefined;
  if (!isRecord(given)) throw new Error('TIDEMILL_TUNING must be a JSON object whose member "scheduler" is an object');
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaults)) throw new Error(`TIDEMILL_TUNING: there is no setting scheduler.${name}`);
    if (!Number.isInteger(value) || Number(value) < 1) {
      throw new Error(`TIDEMILL_TUNING: scheduler.${name} must be a whole number from 1`);
    }
  }
  return { ...defaults, ...given };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
