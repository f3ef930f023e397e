import { TidemillError } from '../../core/domain/errors.ts';
import type { Query } from '../wire/query.ts';

/** A query parameter that carries a JSON array as text (`ResourceId`, `instanceIds`, ...); undefined when absent or empty. */
export function jsonArray(query: Query, name: string): readonly unknown[] | undefined {
  const text = query[name];
  if (text === undefined || text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!Array.isArray(value)) {
    throw new TidemillError('InvalidArgument', `The query parameter '${name}' must be a JSON array, e.g. ["a"]`);
  }
  return value;
}

/** `true` or `false`; undefined when absent. */
export function booleanParameter(query: Query, name: string): boolean | undefined {
  const text = query[name];
  if (text === undefined || text === '') return undefined;
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new TidemillError('InvalidArgument', `The query parameter '${name}' is '${text}', allowed is true or false`);
}

/** A whole number from 0; undefined when absent. */
export function integerParameter(query: Query, name: string): number | undefined {
  const text = query[name];
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new TidemillError('InvalidArgument', `The query parameter '${name}' is '${text}', it must be a whole number`);
}
