import { LIMITS } from '../../core/domain/limits.ts';
import { LOOP_DEFAULTS, type LoopLimits } from '../../core/domain/loop-limits.ts';
import { KEEP_ALIVE_DEFAULTS } from '../../services/scheduler/keep-alive.ts';
import type { SchedulerSettings } from '../../services/scheduler/settings.ts';

/** What an operator may change about scheduling. */
export interface SchedulerTuning {
  readonly instancesPerAccount: number;
  readonly callsPerAccount: number;
  /** Milliseconds after which an idle reserved instance without CPU between calls is shrunk. */
  readonly shrinkAfterMs: number;
  /**
   * What a warm call is worth: memory held idle, MB x seconds, that may be spent so that one call need not wait for a start. Less
   * holds less memory, more makes fewer cold starts.
   */
  readonly warmCallMbSeconds: number;
}

/** The scheduler's settings that the operator's say leads to. */
export function schedulerLimits(tuning: SchedulerTuning): Partial<SchedulerSettings> {
  const { warmCallMbSeconds, ...limits } = tuning;
  return { ...limits, keepAlive: { ...KEEP_ALIVE_DEFAULTS, warmCallWorth: warmCallMbSeconds * 1_000 } };
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
    warmCallMbSeconds: KEEP_ALIVE_DEFAULTS.warmCallWorth / 1_000,
    shrinkAfterMs: LIMITS.shrinkAfterMs,
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

/** Networks, as `address/bits`, that webhooks may be sent to although they are loopback or private. */
export interface WebhookTuning {
  readonly allow: readonly string[];
}

/** The member `webhooks` of `TIDEMILL_TUNING`, e.g. `{"webhooks":{"allow":["10.1.0.0/16"]}}`. Throws on anything else. */
export function readWebhookTuning(text: string | undefined): WebhookTuning {
  if (text === undefined || text === '') return { allow: [] };
  const parsed: unknown = JSON.parse(text);
  const given: unknown = isRecord(parsed) ? (parsed.webhooks ?? {}) : undefined;
  if (!isRecord(given)) throw new Error('TIDEMILL_TUNING must be a JSON object whose member "webhooks" is an object');
  const { allow = [], ...others } = given;
  const [other] = Object.keys(others);
  if (other !== undefined) throw new Error(`TIDEMILL_TUNING: there is no setting webhooks.${other}`);
  const networks: unknown[] | undefined = Array.isArray(allow) ? allow : undefined;
  if (networks === undefined || !networks.every((each) => typeof each === 'string')) {
    throw new Error('TIDEMILL_TUNING: webhooks.allow must be a list of networks');
  }
  return { allow: networks.map(String) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
