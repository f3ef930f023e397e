import { createPublicKey } from 'node:crypto';
import { notSupported } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { HttpTriggerConfig } from '../../core/domain/trigger.ts';
import {
  algorithmsOf,
  type BasicAuth,
  type BearerAuth,
  type JwtAuth,
  type PassedClaim,
  type TokenPlace,
  type TriggerAuth,
  type TriggerKey,
} from '../../core/domain/trigger-auth.ts';
import { SECRET_SHOWN } from './event-source-config.ts';
import { FieldReader, invalid, isNeutral, isRecord, shown } from './fields.ts';

const FIELD = 'triggerConfig.authConfig';
const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const TOKEN_FORM = { pattern: /^[A-Za-z0-9+/=\-~.]+$/, form: 'have only characters of A-Za-z0-9+/=-~.' };
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const MAX_PATHS = 100;
/** Headers that say where a request is from, how long it is or how it travels: a claim must not. */
const OWN_HEADERS = /^(x-fc-.*|host|content-length|transfer-encoding|connection|expect|upgrade|te|trailer|cookie)$/i;

/**
 * `authConfig` of an HTTP trigger (FC reference 6.2): a JSON text or the object itself. Members may be capitalised, as the vendor's
 * examples have them. Secrets that are sent as they are shown stay what they were.
 */
export function readTriggerAuth(
  kind: TriggerAuth['kind'],
  value: unknown,
  before: HttpTriggerConfig | undefined,
): TriggerAuth {
  const reader = new FieldReader(lowerNames(parsed(value)), FIELD);
  const known = before?.auth;
  switch (kind) {
    case 'jwt':
      return readJwt(reader, known?.kind === 'jwt' ? known : undefined);
    case 'bearer':
      return readBearer(reader, known?.kind === 'bearer' ? known : undefined);
    case 'basic':
      return readBasic(reader, known?.kind === 'basic' ? known : undefined);
  }
}

function parsed(value: unknown): Readonly<Record<string, unknown>> {
  if (isNeutral(value)) throw invalid(FIELD, 'is required but not provided');
  let config = value;
  if (typeof value === 'string') {
    try {
      config = JSON.parse(value);
    } catch {
      throw invalid(FIELD, 'is not valid JSON'); // the parser's own message would quote the text
    }
  }
  if (!isRecord(config)) throw invalid(FIELD, 'must be a JSON object');
  return config;
}

/** `JWKS` and `TokenLookup` as `jwks` and `tokenLookup`. */
function lowerNames(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name === name.toUpperCase() ? name.toLowerCase() : name.charAt(0).toLowerCase() + name.slice(1),
      value,
    ]),
  );
}

function readJwt(reader: FieldReader, before: JwtAuth | undefined): JwtAuth {
  const jwks = reader.raw('jwks');
  if (typeof jwks === 'string' || reader.raw('jwksUri') !== undefined) {
    throw notSupported('a JWKS by URL', 'Give the public keys themselves: {"jwks": {"keys": [...]}}.');
  }
  const set = new FieldReader(jwks ?? {}, `${FIELD}.jwks`);
  const raw = set.raw('keys');
  set.done();
  if (!Array.isArray(raw) || raw.length === 0 || raw.length > LIMITS.triggerAuthEntries) {
    throw invalid(`${FIELD}.jwks.keys`, `must be a list of 1 to ${LIMITS.triggerAuthEntries} keys`);
  }
  const keys = raw.map((key: unknown, index) => readKey(key, `${FIELD}.jwks.keys[${index}]`, before));
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) {
    throw invalid(`${FIELD}.jwks.keys`, 'must have a kid each, all different; at most one key may have none');
  }
  const lookup = entriesOf(reader, 'tokenLookup', ['position', 'name', 'prefix']).map(readPlace);
  if (lookup.length === 0) lookup.push({ position: 'header', name: 'Authorization', prefix: 'Bearer' });
  const pass = entriesOf(reader, 'claimPassBy', ['position', 'claim', 'name']).map(readClaim);
  const free = readPaths(reader, 'whitelist');
  const only = readPaths(reader, 'blacklist');
  reader.done();
  if (free.length > 0 && only.length > 0) throw invalid(FIELD, 'must have either whitelist or blacklist, not both');
  const paths =
    only.length > 0 ? { mode: 'only' as const, patterns: only } : { mode: 'except' as const, patterns: free };
  return { kind: 'jwt', keys, lookup, pass, paths };
}

/** Checked by taking it for what it says it is: keys that could never verify anything are refused now. */
function readKey(value: unknown, name: string, before: JwtAuth | undefined): TriggerKey {
  if (!isRecord(value)) throw invalid(name, 'must be a JSON Web Key');
  const { kty, kid, use } = value;
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP' && kty !== 'oct') {
    throw invalid(`${name}.kty`, `must be one of RSA, EC, OKP, oct, not ${shown(kty)}`);
  }
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > 256)) {
    throw invalid(`${name}.kid`, 'must be a string of 1 to 256 characters');
  }
  if (use !== undefined && use !== 'sig') throw invalid(`${name}.use`, `must be 'sig', not ${shown(use)}`);
  if (kty !== 'oct' && Object.hasOwn(value, 'd')) {
    throw invalid(name, 'is a private key', 'Give the public key only: the private one stays with who signs.');
  }
  const known = kty === 'oct' && value['k'] === SECRET_SHOWN ? before?.keys.find((key) => key.kid === kid) : undefined;
  const key: TriggerKey = { ...(known ?? value), kty, ...(kid === undefined ? {} : { kid }) };
  if (algorithmsOf(key).length === 0) {
    throw invalid(`${name}.alg`, `must be an algorithm for keys of this type, not ${shown(key['alg'] ?? key['crv'])}`);
  }
  if (!isUsable(key))
    throw invalid(name, 'is not a valid key, or a weak one (RSA below 2048 bits, oct below 256 bits)');
  return key;
}

function isUsable(key: TriggerKey): boolean {
  if (key.kty === 'oct') {
    const { k } = key;
    return typeof k === 'string' && /^[A-Za-z0-9_-]+$/.test(k) && Buffer.from(k, 'base64url').length >= 32;
  }
  try {
    const { asymmetricKeyDetails, asymmetricKeyType } = createPublicKey({ key: { ...key }, format: 'jwk' });
    if (key.kty === 'OKP') return asymmetricKeyType === 'ed25519';
    return key.kty !== 'RSA' || (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048;
  } catch {
    return false;
  }
}

/** `a:b:c,d:e` or a list of objects with these members, which fc3 takes as well. */
function entriesOf(reader: FieldReader, field: string, members: readonly string[]): readonly (readonly string[])[] {
  const value = reader.raw(field);
  const name = `${FIELD}.${field}`;
  if (isNeutral(value)) return [];
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) => {
      const each = new FieldReader(item, `${name}[${index}]`);
      const parts = members.map((member) => each.string(member, { max: 128 }) ?? '');
      each.done();
      return parts;
    });
  }
  if (typeof value !== 'string') throw invalid(name, `must be a text like position:name, not ${shown(value)}`);
  return value.split(',').map((entry) => {
    const parts = entry.trim().split(':');
    if (parts.length > members.length) throw invalid(name, `has ${shown(entry)}, which has too many parts`);
    return members.map((_, index) => parts[index] ?? '');
  });
}

function readPlace([position = '', name = '', prefix = '']: readonly string[]): TokenPlace {
  const at = `${FIELD}.tokenLookup`;
  if (position !== 'header' && position !== 'cookie' && position !== 'query' && position !== 'form') {
    throw invalid(at, `must have one of header, cookie, query, form as position, not ${shown(position)}`);
  }
  if (!HEADER_NAME.test(name)) throw invalid(at, `must have the name of a ${position}, not ${shown(name)}`);
  return { position, name, prefix };
}

function readClaim([position = '', claim = '', as = '']: readonly string[]): PassedClaim {
  const at = `${FIELD}.claimPassBy`;
  if (position !== 'header' && position !== 'cookie' && position !== 'form') {
    throw invalid(at, `must have one of header, cookie, form as position, not ${shown(position)}`);
  }
  if (claim === '') throw invalid(at, 'must have the name of a claim');
  const name = as === '' ? claim : as;
  if (!HEADER_NAME.test(name) || (position === 'header' && OWN_HEADERS.test(name))) {
    throw invalid(at, `cannot give a claim to the function as the ${position} ${shown(name)}`);
  }
  return { position, claim, as: name };
}

function readPaths(reader: FieldReader, field: string): readonly string[] {
  const paths = reader.strings(field, { maxItems: MAX_PATHS, item: { max: 1_024 } }) ?? [];
  for (const path of paths) {
    if (/^\/[^*]*\*?$/.test(path) || path === '*') continue;
    throw invalid(`${FIELD}.${field}`, `has ${shown(path)}: a path begins with / and has * at its end only`);
  }
  return paths;
}

function readBearer(reader: FieldReader, before: BearerAuth | undefined): BearerAuth {
  const tokens = listOf(reader, 'tokens').map((token) => {
    const name = token.required('tokenName', { max: LIMITS.nameLength, pattern: NAME, form: 'be a name' });
    const given = token.required('tokenData');
    const known = given === SECRET_SHOWN ? before?.tokens.find((each) => each.name === name)?.data : undefined;
    const data = known ?? checkSecret(token.name('tokenData'), given, 32, TOKEN_FORM);
    const enable = token.boolean('enable') ?? true;
    token.done();
    return { name, data, enable };
  });
  reader.done();
  refuseRepeated(
    'tokenName',
    tokens.map(({ name }) => name),
  );
  refuseRepeated(
    'tokenData',
    tokens.map(({ data }) => data),
  );
  return { kind: 'bearer', tokens };
}

function readBasic(reader: FieldReader, before: BasicAuth | undefined): BasicAuth {
  const users = listOf(reader, 'users').map((user) => {
    const name = user.required('userName', { min: 12, max: 128, pattern: NAME, form: 'be a name' });
    const given = user.required('password');
    const known = given === SECRET_SHOWN ? before?.users.find((each) => each.name === name)?.password : undefined;
    const password = known ?? checkSecret(user.name('password'), given, 12, undefined);
    user.done();
    return { name, password };
  });
  reader.done();
  refuseRepeated(
    'userName',
    users.map(({ name }) => name),
  );
  refuseRepeated(
    'password',
    users.map(({ password }) => password),
  );
  return { kind: 'basic', users };
}

function listOf(reader: FieldReader, field: string): readonly FieldReader[] {
  const value = reader.raw(field);
  if (!Array.isArray(value) || value.length === 0 || value.length > LIMITS.triggerAuthEntries) {
    throw invalid(`${FIELD}.${field}`, `must be a list of 1 to ${LIMITS.triggerAuthEntries} entries`);
  }
  return value.map((item: unknown, index) => new FieldReader(item, `${FIELD}.${field}[${index}]`));
}

/** Never shows the value: it may be a secret that only has a blank too many. */
function checkSecret(
  name: string,
  value: string,
  min: number,
  rule: { readonly pattern: RegExp; readonly form: string } | undefined,
): string {
  if (value.length < min || value.length > 128) throw invalid(name, `must have ${min} to 128 characters`);
  if (rule !== undefined && !rule.pattern.test(value)) throw invalid(name, `must ${rule.form}`);
  if (rule === undefined && ![/[A-Z]/, /[a-z]/, /\d/, /[!@#$%^&*()]/].every((kind) => kind.test(value))) {
    throw invalid(name, 'must have upper-case and lower-case letters, digits, and one of !@#$%^&*()');
  }
  return value;
}

function refuseRepeated(member: string, values: readonly string[]): void {
  if (new Set(values).size < values.length) throw invalid(FIELD, `has the same ${member} twice`);
}

const SECRET_MEMBERS = new Set(['tokenData', 'password', 'k']);

/** The caller's config text without secrets: what is stored to be shown. */
export function withoutAuthSecrets(raw: string): string {
  const config: unknown = JSON.parse(raw);
  if (!isRecord(config)) return raw;
  const name = ['authConfig', 'AuthConfig'].find((each) => Object.hasOwn(config, each)) ?? 'authConfig';
  const given = config[name];
  if (given === undefined) return raw;
  const hidden = hide(typeof given === 'string' && given.trim() !== '' ? JSON.parse(given) : given);
  return JSON.stringify({ ...config, [name]: typeof given === 'string' ? JSON.stringify(hidden) : hidden });
}

function hide(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hide);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      SECRET_MEMBERS.has(name) && typeof each === 'string' ? SECRET_SHOWN : hide(each),
    ]),
  );
}
