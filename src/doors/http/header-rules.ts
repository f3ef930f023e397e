import { validateHeaderName, validateHeaderValue } from 'node:http';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';

export type HeaderPairs = readonly (readonly [string, string])[];

/** Headers that belong to one connection and never travel on, and `expect`, which the server has answered itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** Response headers that are the platform's to set (FC reference 4.4). */
const RESERVED = new Set(['connection', 'date', 'keep-alive', 'server', 'upgrade', 'content-disposition']);

/** What the function sees of the request's headers: names as sent, in order, without `x-fc-*` and hop-by-hop ones (FC reference 4.5). */
export function requestHeaders(rawHeaders: readonly string[], connection: string | undefined): HeaderPairs {
  const named = connection === undefined ? undefined : new Set(connection.toLowerCase().split(/\s*,\s*/));
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const lower = name.toLowerCase();
    if (lower.startsWith('x-fc-') || HOP_BY_HOP.has(lower) || named?.has(lower) === true) continue;
    pairs.push([name, rawHeaders[i + 1] ?? '']);
  }
  return pairs;
}

/**
 * What the client sees of a function's headers: reserved, hop-by-hop and `x-fc-*` ones are dropped. `keepLength` keeps
 * Content-Length, for bodies that are passed on byte by byte. Throws BadResponse for headers that are not valid HTTP or
 * larger than 8 KB in total.
 */
export function responseHeaders(pairs: HeaderPairs, keepLength: boolean): HeaderPairs {
  const kept: (readonly [string, string])[] = [];
  let bytes = 0;
  for (const [name, value] of pairs) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 4;
    const lower = name.toLowerCase();
    if (lower.startsWith('x-fc-') || RESERVED.has(lower) || HOP_BY_HOP.has(lower)) continue;
    if (lower === 'content-length' && !(keepLength && /^\d+$/.test(value))) continue;
    checkHeader(name, value);
    kept.push([name, value]);
  }
  if (bytes > LIMITS.responseHeaderBytes) {
    throw new TidemillError(
      'BadResponse',
      `the function answered with ${bytes} bytes of headers, the limit is ${LIMITS.responseHeaderBytes} bytes`,
    );
  }
  return kept;
}

function checkHeader(name: string, value: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new TidemillError('BadResponse', `the function answered with an invalid header '${name.slice(0, 100)}'`);
  }
}

/** Go's form of a header name, as functions of the field expect it: `x-foo-bar` becomes `X-Foo-Bar` (FC reference 4.4). */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
