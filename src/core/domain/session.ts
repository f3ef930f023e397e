import { notSupported, TidemillError } from './errors.ts';
import { LIMITS } from './limits.ts';

/** How a function ties requests to instances (FC reference 3.5), complete: every default is filled in. */
export interface SessionAffinity {
  readonly type: 'HEADER_FIELD' | 'GENERATED_COOKIE';
  /** HEADER_FIELD: the request header that carries the session id, as it was given. */
  readonly headerName?: string;
  /** Sessions one instance may hold at once. */
  readonly sessionsPerInstance: number;
  readonly ttlSeconds: number;
  readonly idleSeconds: number;
  /** An id that has expired or was deleted may not come again. */
  readonly disableIdReuse: boolean;
}

/** What may be said of one session, over what its function says. */
export interface SessionTimes {
  readonly ttlSeconds: number;
  readonly idleSeconds: number;
  readonly disableIdReuse: boolean;
}

/** The cookie of GENERATED_COOKIE. */
export const SESSION_COOKIE = 'x-fc-cookie-session-id';

const ID = /^[a-zA-Z0-9_][a-zA-Z0-9_-]*$/;
const HEADER = /^[A-Za-z][A-Za-z0-9_-]{0,39}$/;

export function isSessionId(text: string): boolean {
  return text.length <= LIMITS.sessionIdLength && ID.test(text);
}

/** Reads `sessionAffinityConfig`, a JSON text or its object, for one kind of affinity. Throws InvalidArgument naming the member. */
export function readAffinity(type: SessionAffinity['type'], config: unknown): SessionAffinity {
  const input = membersOf(config, 'sessionAffinityConfig');
  const number = numbersOf(input, 'sessionAffinityConfig.');
  const affinity: SessionAffinity = {
    type,
    sessionsPerInstance: number('sessionConcurrencyPerInstance', LIMITS.instanceConcurrencyMax) ?? 20,
    ttlSeconds: number('sessionTTLInSeconds', LIMITS.sessionTtlMaxSeconds) ?? LIMITS.sessionTtlDefaultSeconds,
    idleSeconds: number('sessionIdleTimeoutInSeconds', LIMITS.sessionTtlMaxSeconds) ?? LIMITS.sessionIdleDefaultSeconds,
    disableIdReuse: flagOf(input, 'disableSessionIdReuse', 'sessionAffinityConfig.') ?? false,
  };
  refuseOthers(input, AFFINITY_MEMBERS, 'sessionAffinityConfig.');
  const header = input['affinityHeaderFieldName'];
  if (type !== 'HEADER_FIELD') {
    if (header === undefined || header === null || header === '') return affinity;
    throw invalid('sessionAffinityConfig.affinityHeaderFieldName needs the session affinity HEADER_FIELD');
  }
  if (typeof header !== 'string' || !HEADER.test(header) || /^x-fc-/i.test(header)) {
    throw invalid(
      "sessionAffinityConfig.affinityHeaderFieldName must name a header: a letter, then up to 39 letters, digits, '-' and '_', not starting 'x-fc-'",
    );
  }
  return { ...affinity, headerName: header };
}

const AFFINITY_MEMBERS = [
  'affinityHeaderFieldName',
  'sessionConcurrencyPerInstance',
  'sessionTTLInSeconds',
  'sessionIdleTimeoutInSeconds',
  'disableSessionIdReuse',
];

/** `sessionAffinityConfig` in the field's names. */
export function affinityText(affinity: SessionAffinity): string {
  return JSON.stringify({
    ...(affinity.headerName === undefined ? {} : { affinityHeaderFieldName: affinity.headerName }),
    sessionConcurrencyPerInstance: affinity.sessionsPerInstance,
    sessionTTLInSeconds: affinity.ttlSeconds,
    sessionIdleTimeoutInSeconds: affinity.idleSeconds,
    disableSessionIdReuse: affinity.disableIdReuse,
  });
}

/** Reads CreateSessionInput and UpdateSessionInput (FC reference 1.8); absent members are absent. Throws InvalidArgument, NotSupported. */
export function readSessionInput(body: unknown): Partial<SessionTimes> & { readonly sessionId?: string } {
  const input = membersOf(body, 'the request body');
  for (const name of ['nasConfig', 'ossMountConfig', 'polarFsConfig', 'juiceFsConfig']) {
    if (input[name] !== undefined && input[name] !== null) {
      throw notSupported(`${name} of a session`, 'Leave it out and use the object store.');
    }
  }
  refuseOthers(input, SESSION_MEMBERS, '');
  const number = numbersOf(input, '');
  const ttlSeconds = number('sessionTTLInSeconds', LIMITS.sessionTtlMaxSeconds);
  const idleSeconds = number('sessionIdleTimeoutInSeconds', LIMITS.sessionTtlMaxSeconds);
  const disableIdReuse = flagOf(input, 'disableSessionIdReuse', '');
  const id = input['sessionId'];
  if (id !== undefined && id !== null && (typeof id !== 'string' || !isSessionId(id))) throw invalid(ID_RULE);
  return {
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    ...(idleSeconds === undefined ? {} : { idleSeconds }),
    ...(disableIdReuse === undefined ? {} : { disableIdReuse }),
    ...(typeof id === 'string' ? { sessionId: id } : {}),
  };
}

const SESSION_MEMBERS = [
  'sessionId',
  'sessionTTLInSeconds',
  'sessionIdleTimeoutInSeconds',
  'disableSessionIdReuse',
  'nasConfig',
  'ossMountConfig',
  'polarFsConfig',
  'juiceFsConfig',
];

const ID_RULE = `sessionId must have 1 to ${LIMITS.sessionIdLength} characters and match ^[a-zA-Z0-9_][a-zA-Z0-9_-]*$`;

type Members = Readonly<Record<string, unknown>>;

function membersOf(value: unknown, what: string): Members {
  let object = value;
  if (typeof value === 'string') {
    try {
      object = value.trim() === '' ? {} : JSON.parse(value);
    } catch {
      throw invalid(`${what} must be a JSON text`);
    }
  }
  if (object === undefined || object === null) return {};
  if (typeof object !== 'object' || Array.isArray(object)) throw invalid(`${what} must be a JSON object`);
  return object as Members;
}

function numbersOf(input: Members, path: string): (name: string, most: number) => number | undefined {
  return (name, most) => {
    const value = input[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw invalid(`${path}${name} must be a whole number from 1 to ${most}, not ${JSON.stringify(value)}`);
  };
}

function flagOf(input: Members, name: string, path: string): boolean | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  throw invalid(`${path}${name} must be true or false, not ${JSON.stringify(value)}`);
}

function refuseOthers(input: Members, known: readonly string[], path: string): void {
  for (const name of Object.keys(input)) {
    if (!known.includes(name)) throw invalid(`${path}${name} is not known here; known are: ${known.join(', ')}`);
  }
}

function invalid(message: string): TidemillError {
  return new TidemillError('InvalidArgument', message);
}
