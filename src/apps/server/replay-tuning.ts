import { LIMITS } from '../../core/domain/limits.ts';
import type { FailedCallBounds } from '../../core/ports/failed-calls.ts';

const DEFAULTS = {
  payloadBytes: LIMITS.failedPayloadBytes,
  perFunction: LIMITS.failedCallsPerFunction,
  bytes: LIMITS.failedCallsBytes,
  keptSeconds: LIMITS.failedCallsKeptSeconds,
};

/**
 * `TIDEMILL_TUNING`'s member `replay`, e.g. `{"replay":{"keepPayloads":false}}` or `{"replay":{"keptSeconds":3600}}`. Undefined
 * when payloads of failed calls are not to be kept. An unknown field or a wrong type throws.
 */
export function readReplayTuning(text: string | undefined): FailedCallBounds | undefined {
  const parsed: unknown = text === undefined || text === '' ? {} : JSON.parse(text);
  const given: unknown = isRecord(parsed) ? (parsed['replay'] ?? {}) : undefined;
  if (!isRecord(given)) throw new Error('TIDEMILL_TUNING must be a JSON object whose member "replay" is an object');
  const { keepPayloads = true, ...numbers } = given;
  if (typeof keepPayloads !== 'boolean') throw new Error('TIDEMILL_TUNING: replay.keepPayloads must be true or false');
  for (const [name, value] of Object.entries(numbers)) {
    if (!(name in DEFAULTS)) throw new Error(`TIDEMILL_TUNING: there is no setting replay.${name}`);
    if (!Number.isInteger(value) || Number(value) < 1) {
      throw new Error(`TIDEMILL_TUNING: replay.${name} must be a whole number from 1`);
    }
  }
  if (!keepPayloads) return undefined;
  const { keptSeconds, ...bounds } = { ...DEFAULTS, ...numbers };
  return { ...bounds, keptMs: keptSeconds * 1_000 };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
