import type { ObjectInfo } from '../../core/ports/object-store.ts';

/** The headers of a conditional request, under whatever names they came. */
export interface Conditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifUnmodifiedSince: string | undefined;
}

/** Reads `<prefix>if-match` and so on. */
export function readConditions(header: (name: string) => string | undefined, prefix = ''): Conditions {
  return {
    ifMatch: header(`${prefix}if-match`),
    ifNoneMatch: header(`${prefix}if-none-match`),
    ifModifiedSince: header(`${prefix}if-modified-since`),
    ifUnmodifiedSince: header(`${prefix}if-unmodified-since`),
  };
}

/** The precedence of RFC 9110 13.2.2. Dates count whole seconds; one that cannot be read is ignored. */
export function evaluateConditions(
  conditions: Conditions,
  object: Pick<ObjectInfo, 'etag' | 'lastModified'>,
): 'proceed' | 'failed' | 'not-modified' {
  const modified = Math.floor(object.lastModified / 1000) * 1000;
  if (conditions.ifMatch !== undefined) {
    if (!matchesEtag(conditions.ifMatch, object.etag)) return 'failed';
  } else if (conditions.ifUnmodifiedSince !== undefined) {
    if (modified > Date.parse(conditions.ifUnmodifiedSince)) return 'failed';
  }
  if (conditions.ifNoneMatch !== undefined) {
    return matchesEtag(conditions.ifNoneMatch, object.etag) ? 'not-modified' : 'proceed';
  }
  const since = Date.parse(conditions.ifModifiedSince ?? '');
  return modified <= since ? 'not-modified' : 'proceed';
}

/** Whether `If-Range` (an ETag or a date) still names this object; without the header it does. */
export function rangeStillHolds(
  ifRange: string | undefined,
  object: Pick<ObjectInfo, 'etag' | 'lastModified'>,
): boolean {
  if (ifRange === undefined) return true;
  if (/^(W\/)?"/.test(ifRange)) return !ifRange.startsWith('W/') && unquoteEtag(ifRange) === object.etag;
  return Math.floor(object.lastModified / 1000) * 1000 === Date.parse(ifRange);
}

/** An ETag as the store knows it: no quotes, lower case, not weak. */
export function unquoteEtag(text: string): string {
  return text
    .trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/, '$1')
    .toLowerCase();
}

function matchesEtag(list: string, etag: string): boolean {
  return list.split(',').some((item) => item.trim() === '*' || unquoteEtag(item) === etag);
}
