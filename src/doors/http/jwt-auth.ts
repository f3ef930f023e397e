import { type CryptoKey, decodeProtectedHeader, importJWK, type JWTPayload, jwtVerify } from 'jose';
import { TidemillError } from '../../core/domain/errors.ts';
import { algorithmsOf, type JwtAuth, type TokenPlace, type TriggerKey } from '../../core/domain/trigger-auth.ts';
import type { RequestHead } from '../wire/exchange.ts';
import { pathOf, queryPairs } from '../wire/query.ts';
import { NotPresented } from './trigger-auth.ts';

/** A token beyond this is none: headers have less room, and a form must not buy us work. */
const TOKEN_MAX = 8 * 1024;

export interface JwtRequest {
  readonly req: RequestHead;
  /** As the function sees it. */
  readonly target: string;
  /** Parameters of a form, when the trigger looks for tokens there. */
  readonly form: URLSearchParams | undefined;
  /** Wall clock, milliseconds. */
  readonly now: number;
}

/**
 * The claims of the caller's token; undefined on paths that need none. Throws with the field's own texts (FC reference 6.2). Which
 * algorithms may verify is said by the key alone, never by the token: `none` and a public key taken for a shared secret are no way in.
 */
export async function claimsOf(auth: JwtAuth, request: JwtRequest): Promise<JWTPayload | undefined> {
  if (!needsToken(auth.paths, request.target)) return undefined;
  const token = findToken(auth.lookup, request);
  if (token === undefined) {
    const remedy = `Send it as one of: ${auth.lookup.map(placeText).join(', ')}.`;
    throw new NotPresented('the jwt token is missing', remedy, 'Bearer');
  }
  try {
    if (token.length > TOKEN_MAX) throw new Error('too long');
    const { kid, alg = '' } = decodeProtectedHeader(token);
    const key = keyFor(auth.keys, kid);
    if (key === undefined || !algorithmsOf(key).includes(alg)) throw new Error('no key for it');
    const { payload } = await jwtVerify(token, await imported(key, alg), {
      algorithms: [alg],
      currentDate: new Date(request.now),
    });
    return payload;
  } catch {
    // which of the reasons it is helps only who tries
    throw new TidemillError('AccessDenied', 'invalid or expired jwt', {
      remedy: 'Get a new token from who issues them, signed with a key that the trigger knows.',
    });
  }
}

/** By `kid`; the key without one verifies tokens without one. */
function keyFor(keys: readonly TriggerKey[], kid: string | undefined): TriggerKey | undefined {
  return keys.find((key) => key.kid === kid);
}

const importedKeys = new WeakMap<TriggerKey, Map<string, Promise<CryptoKey | Uint8Array>>>();

/** Importing costs more than verifying: once per key and algorithm, for as long as the trigger's configuration is kept. */
function imported(key: TriggerKey, alg: string): Promise<CryptoKey | Uint8Array> {
  let byAlgorithm = importedKeys.get(key);
  if (byAlgorithm === undefined) importedKeys.set(key, (byAlgorithm = new Map()));
  let found = byAlgorithm.get(alg);
  if (found === undefined) byAlgorithm.set(alg, (found = importJWK({ ...key }, alg)));
  return found;
}

/**
 * A path that is free must look free in every reading: as sent, and decoded with its `.`, `..` and `//` resolved, as frameworks do.
 * A path that needs a token needs it in any reading.
 */
function needsToken({ mode, patterns }: JwtAuth['paths'], target: string): boolean {
  const raw = pathOf(target);
  const readings = [raw, resolved(raw)];
  const covered = (path: string | undefined): boolean =>
    path !== undefined &&
    patterns.some((pattern) => (pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern));
  return mode === 'except' ? !readings.every(covered) : readings.some((path) => path === undefined || covered(path));
}

function resolved(path: string): string | undefined {
  let text = path;
  try {
    text = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  const parts: string[] = [];
  const all = text.replaceAll('\\', '/').split('/');
  for (const part of all) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const last = all.at(-1);
  return `/${parts.join('/')}${parts.length > 0 && (last === '' || last === '.' || last === '..') ? '/' : ''}`;
}

function findToken(places: readonly TokenPlace[], request: JwtRequest): string | undefined {
  for (const place of places) {
    const value = valueAt(place, request);
    if (value === undefined || value === '') continue;
    if (place.prefix === '') return value;
    if (value.startsWith(`${place.prefix} `)) return value.slice(place.prefix.length + 1).trim();
  }
  return undefined;
}

function valueAt({ position, name }: TokenPlace, { req, target, form }: JwtRequest): string | undefined {
  switch (position) {
    case 'header': {
      const value = req.headers[name.toLowerCase()];
      return typeof value === 'string' ? value : undefined;
    }
    case 'cookie':
      return cookiePairs(req.headers.cookie ?? '').find(([each]) => each === name)?.[1];
    case 'query': {
      const path = pathOf(target);
      return queryPairs(target.slice(path.length + 1)).find(([each]) => each === name)?.[1];
    }
    case 'form':
      return form?.get(name) ?? undefined;
  }
}

export function cookiePairs(text: string): readonly (readonly [string, string])[] {
  return text.split(';').flatMap((part) => {
    const equals = part.indexOf('=');
    return equals < 0 ? [] : [[part.slice(0, equals).trim(), part.slice(equals + 1).trim()] as const];
  });
}

function placeText({ position, name, prefix }: TokenPlace): string {
  return `${position} ${name}${prefix === '' ? '' : ` (${prefix} TOKEN)`}`;
}
