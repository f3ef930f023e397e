import type { Page } from '../../core/ports/control.ts';
import { invalid, shown } from './fields.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

/** `limit` of a list request: 1..100, digits as in a query or a number; 20 when absent. */
export function pageLimit(limit: string | number | undefined): number {
  if (limit === undefined || limit === '') return DEFAULT_LIMIT;
  const value = typeof limit === 'number' ? limit : /^\d{1,9}$/.test(limit) ? Number(limit) : Number.NaN;
  if (Number.isInteger(value) && value >= 1 && value <= MAX_LIMIT) return value;
  throw invalid('limit', `must be an integer from 1 to ${MAX_LIMIT}, not ${shown(limit)}`);
}

/** A token that carries where the page before ended. Opaque to callers. */
export function toToken(position: string): string {
  return Buffer.from(`1:${position}`).toString('base64url');
}

/** The position in a token; undefined for the first page. Throws InvalidArgument for a token that is not ours. */
export function fromToken(token: string | undefined): string | undefined {
  if (token === undefined || token === '') return undefined;
  const text = Buffer.from(token, 'base64url').toString();
  if (!text.startsWith('1:') || toToken(text.slice(2)) !== token) {
    throw invalid('nextToken', `${shown(token)} is not a token of this list`, 'Use the nextToken of the page before.');
  }
  return text.slice(2);
}

/**
 * One page of a sequence that is already positioned behind the token. `position` says where an item stands. The token is given only
 * when there is at least one item more.
 */
export async function takePage<S, T>(
  source: AsyncIterable<S>,
  limit: number,
  position: (item: S) => string,
  view: (item: S) => T | undefined | Promise<T | undefined>,
): Promise<Page<T>> {
  const items: T[] = [];
  let last: string | undefined;
  for await (const item of source) {
    const shownItem = await view(item);
    if (shownItem === undefined) continue;
    if (items.length === limit && last !== undefined) return { items, nextToken: toToken(last) };
    items.push(shownItem);
    last = position(item);
  }
  return { items };
}
