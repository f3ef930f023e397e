import { decodeQueryPart } from './acs3.ts';

export type Query = Readonly<Record<string, string | undefined>>;

const EMPTY: Query = Object.freeze(Object.create(null) as Record<string, string>);

/** Path of a request target, still percent-encoded. */
export function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return mark < 0 ? target : target.slice(0, mark);
}

/** Decoded query of a request target; of repeated names the first counts. */
export function queryOf(target: string): Query {
  const mark = target.indexOf('?');
  if (mark < 0 || mark === target.length - 1) return EMPTY;
  const query = Object.create(null) as Record<string, string>;
  for (const [name, value] of queryPairs(target.slice(mark + 1))) query[name] ??= value;
  return query;
}

/** Decoded name, value pairs of a raw query in order of appearance. */
export function queryPairs(rawQuery: string): readonly (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decodeQueryPart(equals < 0 ? part : part.slice(0, equals));
    pairs.push([name, equals < 0 ? '' : decodeQueryPart(part.slice(equals + 1))]);
  }
  return pairs;
}
