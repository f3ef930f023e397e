import { TidemillError } from '../../core/domain/errors.ts';
import type { Input } from '../../core/ports/control.ts';

const NOTHING: Input = Object.freeze({});

/** The JSON object of a body; nothing at all counts as `{}`. Throws InvalidArgument for anything else. */
export function parseJsonBody(bytes: Buffer): Input {
  if (bytes.length === 0) return NOTHING;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new TidemillError('InvalidArgument', `The request body is not valid JSON: ${detail.slice(0, 200)}`);
  }
  if (!isObject(value)) {
    throw new TidemillError('InvalidArgument', 'The request body must be a JSON object');
  }
  return value;
}

function isObject(value: unknown): value is Input {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
