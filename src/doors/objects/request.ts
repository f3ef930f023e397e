import type { IncomingMessage } from 'node:http';
import { TidemillError } from '../../core/domain/errors.ts';

const TARGET_BYTES = 16 * 1024;

/** A request as both dialects need it: percent-encoding undone once, strictly. */
export interface ObjectsRequest {
  readonly method: string;
  /** Decoded path, beginning with `/`. */
  readonly path: string;
  /** Decoded name and value, in order of arrival; a parameter without `=` has the value ''. */
  readonly query: readonly (readonly [string, string])[];
  /** Lower-case host without port; '' when there is none. */
  readonly host: string;
  /** Lower-case names, several values joined with a comma; each character is one byte as sent. */
  readonly headers: ReadonlyMap<string, string>;
  readonly remoteAddress: string;
  /** First value of a query parameter. */
  param(name: string): string | undefined;
  header(name: string): string | undefined;
}

/** Throws InvalidArgument when the target is too long or not the percent-encoding of UTF-8. */
export function readRequest(req: IncomingMessage): ObjectsRequest {
  const target = stripOrigin(req.url ?? '/');
  if (target.length > TARGET_BYTES) {
    throw new TidemillError('InvalidArgument', `Path and query have more than ${TARGET_BYTES} bytes`);
  }
  const questionMark = target.indexOf('?');
  const rawPath = questionMark === -1 ? target : target.slice(0, questionMark);
  const query = questionMark === -1 ? [] : parseQuery(target.slice(questionMark + 1));
  const headers = new Map<string, string>();
  for (const [name, values] of Object.entries(req.headersDistinct)) headers.set(name, (values ?? []).join(','));
  return {
    method: req.method ?? 'GET',
    path: percentDecode(rawPath),
    query,
    host: hostName(headers.get('host') ?? ''),
    headers,
    remoteAddress: req.socket.remoteAddress ?? '',
    param: (name) => query.find(([candidate]) => candidate === name)?.[1],
    header: (name) => headers.get(name),
  };
}

/** Undoes percent-encoding; throws InvalidArgument when the bytes are not UTF-8 or an escape is broken. */
export function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TidemillError('InvalidArgument', 'The request target is not percent-encoded UTF-8');
  }
}

/** Percent-encodes everything but `A-Z a-z 0-9 - . _ ~`: what all signature schemes call URI encoding. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function parseQuery(text: string): [string, string][] {
  return text
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      const [name, value] = equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
      return [percentDecode(name.replaceAll('+', ' ')), percentDecode(value.replaceAll('+', ' '))];
    });
}

/** A client of a proxy sends `http://host/path`. */
function stripOrigin(target: string): string {
  const match = /^https?:\/\/[^/?]*/i.exec(target);
  const rest = match === null ? target : target.slice(match[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function hostName(host: string): string {
  return host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
}
