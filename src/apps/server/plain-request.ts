import type { IncomingHttpHeaders } from 'node:http';
import type { Peer, RequestHead } from '../../doors/wire/exchange.ts';

/** A request of the plain subset: its head, and where its body is. */
export interface PlainRequest {
  readonly head: RequestHead;
  /** Where in the bytes the body begins. */
  readonly bodyAt: number;
  /** Its length; 0 when the request announces none. */
  readonly bodyLength: number;
}

/** Which requests are worth being read here. */
export type Taken = (method: string, target: string) => boolean;

/** Longer heads, more headers and longer bodies are `node:http`'s, whose limits are the ones that count. */
const MAX_HEAD = 8 * 1024;
const MAX_HEADERS = 64;
const MAX_BODY = 64 * 1024;

const VERSION = ' HTTP/1.1\r\n';
const CR = 13;
const LF = 10;
const SPACE = 32;
const COLON = 58;

/** Characters of a header name (RFC 9110 5.6.2) and of a plain value: visible ASCII and spaces. */
const NAME_CHAR = 1;
const VALUE_CHAR = 2;
const CHARS = new Uint8Array(256);
for (let code = 0x20; code < 0x7f; code++) CHARS[code] = VALUE_CHAR;
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  CHARS[char.charCodeAt(0)] = NAME_CHAR | VALUE_CHAR;
}

/** The others mean something of their own to the connection or the answer. */
const METHODS = new Set(['POST', 'GET', 'PUT', 'PATCH', 'DELETE']);
/** An absolute path and a query of the characters that RFC 3986 allows. */
const TARGET = /^\/[\w.~!$&'()*+,;=:@%/?-]*$/;
/** Lengths that every HTTP implementation reads alike. */
const LENGTH = /^(?:0|[1-9]\d{0,5})$/;

/** Headers that change how a message or a connection is read, or that Node treats in a way of its own. */
const NOT_PLAIN = new Set([
  'transfer-encoding',
  'te',
  'trailer',
  'expect',
  'upgrade',
  'http2-settings',
  'proxy-connection',
  'set-cookie',
  '__proto__',
]);

interface Name {
  readonly raw: string;
  readonly lower: string;
  readonly plain: boolean;
}

/** Clients send the same few names again and again. */
const NAMES = new Map<string, Name>();
const MAX_NAMES = 512;

/**
 * Reads one HTTP/1.1 request of the plain subset from the beginning of `bytes`, or answers undefined: then the bytes are for
 * `node:http`, whatever they are. The subset is strict so that nothing in it can be read in two ways: the whole head is
 * there, an absolute path, visible ASCII only, no folded lines, no name twice, at most one Content-Length in decimal digits,
 * no Transfer-Encoding, no Expect, no Upgrade, a Host, and no Connection but keep-alive. For such a request the answer is
 * what Node's parser gives. The body may still be incomplete, or be followed by other bytes: that is the caller's to see.
 */
export function plainRequest(bytes: Buffer, taken: Taken, peer: Peer): PlainRequest | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0 || end > MAX_HEAD) return undefined;
  const text = bytes.toString('latin1', 0, end + 2);
  const methodEnd = text.indexOf(' ');
  const targetEnd = text.indexOf(' ', methodEnd + 1);
  if (methodEnd < 1 || targetEnd < 0 || !text.startsWith(VERSION, targetEnd)) return undefined;
  const method = text.slice(0, methodEnd);
  const url = text.slice(methodEnd + 1, targetEnd);
  if (!METHODS.has(method) || !taken(method, url) || !TARGET.test(url)) return undefined;
  const fields = plainFields(text, targetEnd + VERSION.length);
  if (fields === undefined) return undefined;
  const { headers, rawHeaders } = fields;
  const { connection } = headers;
  if (headers.host === undefined || (connection !== undefined && connection.toLowerCase() !== 'keep-alive')) {
    return undefined;
  }
  const length = headers['content-length'] ?? '0';
  if (!LENGTH.test(length)) return undefined;
  const bodyLength = Number(length);
  if (bodyLength > MAX_BODY) return undefined;
  return { head: new PlainHead(method, url, headers, rawHeaders, peer), bodyAt: end + 4, bodyLength };
}

/** Header lines from `at` to the end of the text, each ended by CRLF; undefined when one is not plain. */
function plainFields(
  text: string,
  at: number,
): { readonly headers: IncomingHttpHeaders; readonly rawHeaders: string[] } | undefined {
  const headers = new Fields() as IncomingHttpHeaders;
  const rawHeaders: string[] = [];
  const { length } = text;
  let here = at;
  while (here < length) {
    const nameAt = here;
    while ((charOf(text, here) & NAME_CHAR) !== 0) here++;
    if (here === nameAt || text.charCodeAt(here) !== COLON) return undefined;
    const name = nameOf(text.slice(nameAt, here));
    here++;
    while (text.charCodeAt(here) === SPACE) here++;
    const valueAt = here;
    while ((charOf(text, here) & VALUE_CHAR) !== 0) here++;
    if (text.charCodeAt(here) !== CR || text.charCodeAt(here + 1) !== LF) return undefined;
    let valueEnd = here;
    while (valueEnd > valueAt && text.charCodeAt(valueEnd - 1) === SPACE) valueEnd--;
    here += 2;
    if (!name.plain || headers[name.lower] !== undefined || rawHeaders.length >= 2 * MAX_HEADERS) return undefined;
    const value = text.slice(valueAt, valueEnd);
    headers[name.lower] = value;
    rawHeaders.push(name.raw, value);
  }
  return { headers, rawHeaders };
}

/** What a character may stand in; nothing beyond the end of the text. */
function charOf(text: string, at: number): number {
  return CHARS[text.charCodeAt(at)] ?? 0;
}

function nameOf(raw: string): Name {
  const known = NAMES.get(raw);
  if (known !== undefined) return known;
  const lower = raw.toLowerCase();
  const name = { raw, lower, plain: !NOT_PLAIN.has(lower) };
  if (NAMES.size < MAX_NAMES) NAMES.set(raw, name);
  return name;
}

/** Objects without a prototype that the engine treats like instances of a class: a header may be called `constructor`. */
const Fields = function () {} as unknown as new () => object;
Fields.prototype = Object.create(null);

class PlainHead implements RequestHead {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly socket: Peer;

  constructor(method: string, url: string, headers: IncomingHttpHeaders, rawHeaders: readonly string[], peer: Peer) {
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.rawHeaders = rawHeaders;
    this.socket = peer;
  }

  get headersDistinct(): Readonly<Record<string, string[] | undefined>> {
    const distinct: Record<string, string[] | undefined> = Object.create(null);
    for (const name in this.headers) distinct[name] = [String(this.headers[name])];
    return distinct;
  }
}
