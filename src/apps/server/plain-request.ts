import type { IncomingHttpHeaders } from 'node:http';
import { asKey } from '../../doors/wire/header-key.ts';
import type { Peer, RequestHead } from '../../doors/wire/exchange.ts';
import { type BodyLength, MAX_BODY } from './plain-body.ts';

/** A request of the plain subset: its head, and where its body is. */
export interface PlainRequest {
  readonly head: RequestHead;
  /** Where in the bytes the body begins. */
  readonly bodyAt: number;
  /** Its length; 0 when the request announces none. */
  readonly bodyLength: BodyLength;
}

/** Which requests are worth being read here. */
export type Taken = (method: string, target: string) => boolean;

/** Longer heads, more headers and longer bodies are `node:http`'s, whose limits are the ones that count. */
const MAX_HEAD = 8 * 1024;
const MAX_HEADERS = 64;

const VERSION = ' HTTP/1.1\r\n';
const END = '\r\n\r\n';
/** A header name (RFC 9110 5.6.2), and a plain value: visible ASCII and spaces. */
const NAME = /^[!#$%&'*+.^`|~\w-]+$/;
const VALUE = /^[\x20-\x7e]*$/;
/** The others mean something of their own to the connection or the answer. */
const METHODS = new Set(['POST', 'GET', 'PUT', 'PATCH', 'DELETE']);
/** An absolute path and a query of the characters that RFC 3986 allows. */
const TARGET = /^\/[\w.~!$&'()*+,;=:@%/?-]*$/;
/** Lengths that every HTTP implementation reads alike. */
const LENGTH = /^(?:0|[1-9]\d{0,5})$/;

/** Headers that change how a message or a connection is read, or that Node treats in a way of its own. */
const NOT_PLAIN = new Set([
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

interface FirstLine {
  /** With its CRLF, as each text here: a line that is equal to the end needs not be read again. */
  readonly text: string;
  readonly method: string;
  readonly url: string;
}

interface FieldLine {
  readonly text: string;
  readonly name: Name;
  readonly value: string;
}

/** The lines of the last plain head of a connection: most of the next one's are the same. */
export interface KnownLines {
  first: FirstLine | undefined;
  readonly fields: FieldLine[];
}

/** A line keeps the text alive that it was cut from: together they bound what a connection can hold, 64 KB as for its body. */
const MAX_KNOWN_LINES = 16;
const MAX_KNOWN_TEXT = 4 * 1024;

/** What the parser may remember for one connection. */
export function knownLines(): KnownLines {
  return { first: undefined, fields: [] };
}

/**
 * Reads one HTTP/1.1 request of the plain subset from the beginning of `bytes`, or answers undefined: then the bytes are for
 * `node:http`, whatever they are. The subset is strict so that nothing in it can be read in two ways: the whole head is
 * there, an absolute path, visible ASCII only, no folded lines, no name twice, a Content-Length in decimal digits or a
 * Transfer-Encoding of `chunked` (the vendor's SDK for Node sends that) or neither, never both, no Expect, no Upgrade, a
 * Host, and no Connection but keep-alive. For such a request the answer is what Node's parser gives. The body is read by
 * `plainBody`; it may still be incomplete, or be followed by other bytes: that is the caller's to see.
 * `taken` must answer the same for the same request each time; `known` belongs to one connection.
 */
export function plainRequest(bytes: Buffer, taken: Taken, peer: Peer, known: KnownLines): PlainRequest | undefined {
  const text = bytes.toString('latin1', 0, MAX_HEAD + END.length);
  const end = text.indexOf(END);
  if (end < 0) return undefined;
  const first = firstLine(text, taken, known);
  if (first === undefined) return undefined;
  const headers = new Fields() as IncomingHttpHeaders;
  const rawHeaders: string[] = [];
  if (!readFields(text, first.text.length, end + 2, known.fields, headers, rawHeaders)) return undefined;
  const { connection } = headers;
  if (headers.host === undefined) return undefined;
  if (connection !== undefined && connection !== 'keep-alive' && connection.toLowerCase() !== 'keep-alive') {
    return undefined;
  }
  const bodyLength = lengthOf(headers);
  if (bodyLength === undefined || (bodyLength !== 'chunked' && bodyLength > MAX_BODY)) return undefined;
  return { head: new PlainHead(first, headers, rawHeaders, peer), bodyAt: end + END.length, bodyLength };
}

/** Undefined when the headers could be understood in more than one way, or say more than a plain length. */
function lengthOf(headers: IncomingHttpHeaders): BodyLength | undefined {
  const length = headers['content-length'];
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) return coding === 'chunked' && length === undefined ? 'chunked' : undefined;
  if (length === undefined) return 0;
  return LENGTH.test(length) ? Number(length) : undefined;
}

function firstLine(text: string, taken: Taken, known: KnownLines): FirstLine | undefined {
  if (known.first !== undefined && beginsWith(text, known.first.text, 0)) return known.first;
  const methodEnd = text.indexOf(' ');
  const targetEnd = text.indexOf(' ', methodEnd + 1);
  if (methodEnd < 1 || targetEnd < 0 || !text.startsWith(VERSION, targetEnd)) return undefined;
  const method = text.slice(0, methodEnd);
  const url = text.slice(methodEnd + 1, targetEnd);
  if (!METHODS.has(method) || !taken(method, url) || !TARGET.test(url)) return undefined;
  known.first = { text: text.slice(0, targetEnd + VERSION.length), method, url };
  return known.first;
}

/** Header lines from `at` to `end`, each ended by CRLF; false when one is not plain. */
function readFields(
  text: string,
  at: number,
  end: number,
  known: FieldLine[],
  headers: IncomingHttpHeaders,
  rawHeaders: string[],
): boolean {
  let here = at;
  for (let i = 0; here < end; i++) {
    const last = known[i];
    const line = last !== undefined && beginsWith(text, last.text, here) ? last : readField(text, here, last);
    if (line === undefined || i === MAX_HEADERS) return false;
    const { name, value } = line;
    if (headers[name.lower] !== undefined) return false;
    headers[name.lower] = value;
    rawHeaders.push(name.raw, value);
    if (line !== last && i < MAX_KNOWN_LINES && text.length <= MAX_KNOWN_TEXT) known[i] = line;
    here += line.text.length;
  }
  return true;
}

/** The line that begins at `at`; undefined when it is not plain. `last` is the one that stood in its place before. */
function readField(text: string, at: number, last: FieldLine | undefined): FieldLine | undefined {
  const end = text.indexOf('\r\n', at);
  const colon = text.indexOf(':', at);
  if (end < 0 || colon < 0 || colon >= end) return undefined;
  const raw = text.slice(at, colon);
  const name = last?.name.raw === raw ? last.name : nameOf(raw);
  const value = text.slice(colon + 1, end);
  if (!name.plain || !VALUE.test(value)) return undefined;
  return { text: text.slice(at, end + 2), name, value: value.trim() };
}

/** What `startsWith` says, by comparing memory instead of characters: a tenth of the time. */
function beginsWith(text: string, part: string, at: number): boolean {
  return text.slice(at, at + part.length) === part;
}

function nameOf(raw: string): Name {
  const known = NAMES.get(raw);
  if (known !== undefined) return known;
  const lower = asKey(raw.toLowerCase());
  const name = { raw, lower, plain: NAME.test(raw) && !NOT_PLAIN.has(lower) };
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

  constructor(first: FirstLine, headers: IncomingHttpHeaders, rawHeaders: readonly string[], peer: Peer) {
    this.method = first.method;
    this.url = first.url;
    this.headers = headers;
    this.rawHeaders = rawHeaders;
    this.socket = peer;
  }

  get httpVersion(): string {
    return '1.1';
  }

  get headersDistinct(): Readonly<Record<string, string[] | undefined>> {
    const distinct: Record<string, string[] | undefined> = Object.create(null);
    for (const name in this.headers) distinct[name] = [String(this.headers[name])];
    return distinct;
  }
}
