import { TidemillError } from '../../core/domain/errors.ts';
import type { Parameters } from './parameters.ts';

const STANDARD = 100;
const MOST = 1_000;

/** One page of a list: `MaxItems` of what comes after `Marker`, which is where the page before ended. */
export function pageOf<T>(
  items: readonly T[],
  parameters: Parameters,
  nameOf: (item: T) => string,
): { readonly page: readonly T[]; readonly rest: { readonly IsTruncated: boolean; readonly Marker?: string } } {
  const limit = parameters.integer('MaxItems') ?? STANDARD;
  if (limit < 1 || limit > MOST) {
    throw new TidemillError('InvalidArgument', `The parameter MaxItems must be from 1 to ${MOST}`);
  }
  const marker = parameters.text('Marker');
  const after = marker === undefined ? undefined : Buffer.from(marker, 'base64url').toString();
  const begin = after === undefined ? 0 : items.findIndex((item) => nameOf(item) === after) + 1;
  if (after !== undefined && begin === 0) {
    throw new TidemillError('InvalidArgument', 'The parameter Marker is none of this list, or what it names is gone', {
      remedy: 'Begin the list again without a Marker.',
    });
  }
  const page = items.slice(begin, begin + limit);
  const last = page.at(-1);
  if (last === undefined || begin + limit >= items.length) return { page, rest: { IsTruncated: false } };
  return { page, rest: { IsTruncated: true, Marker: Buffer.from(nameOf(last)).toString('base64url') } };
}
