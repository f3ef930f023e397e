import { timingSafeEqual } from 'node:crypto';
import { asKey } from './header-key.ts';

/**
 * The ACS3-HMAC-SHA256 signature of the vendor's SDKs (FC reference 2.3): pure functions over the parts of a request.
 * Every door that accepts signed requests shares this folder (`doors/wire`); it decides nothing about who may do what.
 */
export interface Acs3Signer {
  readonly accessKeyId: string;
  /** Lower-case names in the order the client signed them. */
  readonly signedHeaders: readonly string[];
  /** The same, joined by semicolons. */
  readonly signedNames: string;
}

export interface Acs3Authorization extends Acs3Signer {
  /** 64 lower-case hex digits. */
  readonly signature: string;
}

const SIGNATURE_CHARS = 64;
const SIGNATURE = /^[0-9a-f]{64}$/;
const SIGNER = /^ACS3-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]*)\s*,\s*Signature=$/;
/** A client signs with the same key and the same headers again and again: what stands before the signature is read once. */
const SIGNERS = new Map<string, Acs3Signer>();
const MAX_SIGNERS = 1_024;
/** The last one: comparing texts costs less than hashing one for the map. */
let lastText = '';
let lastSigner: Acs3Signer | undefined;

/** The parts of an `Authorization` header; undefined when it is not a well-formed ACS3 one. */
export function parseAuthorization(value: string): Acs3Authorization | undefined {
  const signature = value.slice(-SIGNATURE_CHARS);
  if (!SIGNATURE.test(signature)) return undefined;
  const signer = signerOf(value.slice(0, -SIGNATURE_CHARS));
  if (signer === undefined) return undefined;
  const { accessKeyId, signedHeaders, signedNames } = signer;
  return { accessKeyId, signedHeaders, signedNames, signature };
}

function signerOf(text: string): Acs3Signer | undefined {
  if (text === lastText) return lastSigner;
  const signer = SIGNERS.get(text) ?? readSigner(text);
  lastText = text;
  lastSigner = signer;
  return signer;
}

function readSigner(text: string): Acs3Signer | undefined {
  const match = SIGNER.exec(text);
  if (match === null) return undefined;
  const [, accessKeyId = '', names = ''] = match;
  const signedNames = names.toLowerCase();
  const signer = {
    accessKeyId,
    signedHeaders: signedNames === '' ? [] : signedNames.split(';').map(asKey),
    signedNames,
  };
  if (SIGNERS.size >= MAX_SIGNERS) SIGNERS.clear();
  SIGNERS.set(text, signer);
  return signer;
}

/** Nothing in it that any client would encode differently. */
const PLAIN_PATH = /^[\w/.-]*$/;

/**
 * The canonical forms a client may have signed for one path. The current SDK generation replaces every `+`, `*` and
 * `%7E`, the older one only the first of each; HTTP-trigger clients also replace `$`.
 */
export function canonicalUris(rawPath: string, trigger: boolean): readonly string[] {
  if (PLAIN_PATH.test(rawPath)) return [rawPath];
  const every = rawPath.replaceAll('+', '%20').replaceAll('*', '%2A').replaceAll('%7E', '~');
  const first = rawPath.replace('+', '%20').replace('*', '%2A').replace('%7E', '~');
  const uris = every === first ? [every] : [every, first];
  if (trigger && rawPath.includes('$')) return [...uris.map((uri) => uri.replaceAll('$', '%24')), ...uris];
  return uris;
}

/** Decoded, sorted by key in code-unit order, values encoded again, keys not: so the raw query is never reused. */
export function canonicalQuery(rawQuery: string): string {
  if (rawQuery === '') return '';
  const pairs: [string, string][] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const key = decodeQueryPart(equals < 0 ? part : part.slice(0, equals));
    pairs.push([key, encodeValue(equals < 0 ? '' : decodeQueryPart(part.slice(equals + 1)))]);
  }
  if (pairs.length > 1) pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  return pairs.map(([key, value]) => `${key}=${value}`).join('&');
}

/** One name or value of a query, `+` meaning a space; what is not valid percent-encoding stays as it is. */
export function decodeQueryPart(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

function encodeValue(value: string): string {
  return encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

export interface SignedParts {
  readonly method: string;
  readonly uri: string;
  readonly query: string;
  /** One `name:value\n` per signed header. */
  readonly headers: string;
  /** Their names, joined by semicolons in the client's order. */
  readonly signedNames: string;
  /** Value of x-acs-content-sha256, or empty for HTTP triggers that do not sign a body. */
  readonly payloadHash: string;
}

export function canonicalRequest(parts: SignedParts): string {
  return `${parts.method}\n${parts.uri}\n${parts.query}\n${parts.headers}\n${parts.signedNames}\n${parts.payloadHash}`;
}

const GIVEN = Buffer.alloc(SIGNATURE_CHARS);
const EXPECTED = Buffer.alloc(SIGNATURE_CHARS);

/** Compares two hex signatures in time that does not depend on where they differ. */
export function sameSignature(given: string, expected: string): boolean {
  if (given.length !== SIGNATURE_CHARS || expected.length !== SIGNATURE_CHARS) return false;
  GIVEN.write(given, 'latin1');
  EXPECTED.write(expected, 'latin1');
  return timingSafeEqual(GIVEN, EXPECTED);
}
