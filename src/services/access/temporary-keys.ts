import { createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/base/clock.ts';
import { toHex } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import { functionPrincipal, type Principal, type TemporaryCredentials } from '../../core/domain/credentials.ts';
import type { AccountRecord, RoleRecord } from '../../core/domain/identities.ts';
import type { AttachedPolicy } from '../../core/domain/policy/document.ts';
import type { KnownKey } from '../../core/ports/identity.ts';
import { type Directory, type Held, SELF } from './directory.ts';
import { documentOf } from './policy-documents.ts';

/** Whom temporary credentials stand for. */
export type Bearer =
  /** An instance of a function without a role. */
  | { readonly account: string; readonly functionArn: string }
  | {
      readonly account: string;
      readonly role: RoleRecord;
      readonly sessionName: string;
      /** Of the function whose execution role it is. */
      readonly functionArn?: string | undefined;
      /** JSON; narrows what the role allows. */
      readonly sessionPolicy?: string | undefined;
    };

/** A session of a role as policies see it. */
export interface RoleSession {
  readonly role: Held<RoleRecord>;
  readonly roleId: string;
  readonly policy: AttachedPolicy | undefined;
}

interface TemporaryKeysOptions {
  readonly directory: Directory;
  /** At least 32 bytes; whoever has it can make credentials for everybody. */
  readonly masterSecret: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
}

const VERIFIED_CAPACITY = 20_000;
/** A token rides in headers, which have 8 KB in all. */
export const TOKEN_LENGTH_MAX = 4_096;

/** What a token says, signed; short names because it rides in headers. */
interface Claims {
  readonly account: string;
  readonly accessKeyId: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly functionArn: string | undefined;
  readonly role: { readonly name: string; readonly id: string; readonly session: string } | undefined;
  readonly policy: unknown;
}

interface Verified {
  readonly token: string;
  readonly key: KnownKey;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly account: Held<AccountRecord>;
  readonly session: RoleSession | undefined;
}

/**
 * Temporary credentials. They are stateless: the token carries signed claims and the secret is derived from the key id, so every server with
 * the same master secret knows them, also after a restart. They stop before their expiry when the account is disabled, or the role is
 * deleted, made anew or told to refuse older sessions: that is looked at with every use.
 */
export class TemporaryKeys {
  private readonly options: TemporaryKeysOptions;
  private readonly verified = new LRUCache<string, Verified>({ max: VERIFIED_CAPACITY });
  private readonly sessions = new WeakMap<Principal, RoleSession>();

  constructor(options: TemporaryKeysOptions) {
    if (options.masterSecret.byteLength < 32) throw new Error('the master secret has less than 32 bytes');
    this.options = options;
  }

  /** Undefined: forged, past its expiry, or no longer valid. */
  find(accessKeyId: string, token: string): KnownKey | undefined {
    if (token.length > TOKEN_LENGTH_MAX) return undefined;
    const known = this.verified.get(accessKeyId);
    const verified = known?.token === token ? known : this.verify(accessKeyId, token);
    if (verified === undefined || verified.expiresAt <= this.options.clock.now()) return undefined;
    if (verified.account.value?.status !== 'active') return undefined;
    return isCurrent(verified) ? verified.key : undefined;
  }

  /** The session behind a principal that `find` gave; undefined for others. */
  sessionOf(principal: Principal): RoleSession | undefined {
    return this.sessions.get(principal);
  }

  issue(bearer: Bearer, lifeMs: number): TemporaryCredentials {
    const { clock, random } = this.options;
    const accessKeyId = `STS.${toHex(random.bytes(16))}`;
    const now = clock.now();
    const expiresAt = now + lifeMs;
    const isRole = 'role' in bearer;
    const claims = {
      a: bearer.account,
      k: accessKeyId,
      // A role that was just told to refuse older sessions takes this one.
      i: isRole ? Math.max(now, bearer.role.sessionsAfter + 1) : now,
      e: expiresAt,
      f: bearer.functionArn,
      ...(isRole ? { r: bearer.role.name, d: bearer.role.roleId, s: bearer.sessionName } : {}),
      ...(isRole && bearer.sessionPolicy !== undefined ? { p: JSON.parse(bearer.sessionPolicy) as unknown } : {}),
    };
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return {
      accessKeyId,
      accessKeySecret: this.sign('secret', accessKeyId),
      securityToken: `${body}.${this.sign('token', body)}`,
      expiresAt,
    };
  }

  private verify(accessKeyId: string, token: string): Verified | undefined {
    const [body = '', signature = '', ...rest] = token.split('.');
    if (rest.length > 0 || !sameText(signature, this.sign('token', body))) return undefined;
    const claims = readClaims(body);
    if (claims === undefined || claims.accessKeyId !== accessKeyId) return undefined;
    const { directory } = this.options;
    const account = directory.held('account', claims.account, SELF);
    const session = claims.role === undefined ? undefined : this.session(claims.account, claims.role, claims.policy);
    if (account === undefined || (claims.role !== undefined && session === undefined)) return undefined;
    const principal = principalOf(claims, session);
    if (principal === undefined) return undefined;
    if (session !== undefined) this.sessions.set(principal, session);
    const key: KnownKey = { secret: this.sign('secret', accessKeyId), principal };
    const { issuedAt, expiresAt } = claims;
    const verified = { token, key, issuedAt, expiresAt, account, session };
    this.verified.set(accessKeyId, verified);
    return verified;
  }

  private session(
    account: string,
    { name, id }: { readonly name: string; readonly id: string },
    policy: unknown,
  ): RoleSession | undefined {
    const role = this.options.directory.held('role', account, name);
    if (role === undefined) return undefined;
    const document = policy === undefined ? undefined : documentOf(JSON.stringify(policy));
    return {
      role,
      roleId: id,
      policy: document === undefined ? undefined : { name: 'the policy of the session', source: 'session', document },
    };
  }

  /** `purpose` keeps a token's signature from being a secret, and the other way round. */
  private sign(purpose: 'token' | 'secret', text: string): string {
    return createHmac('sha256', this.options.masterSecret).update(`${purpose}\n${text}`).digest('base64url');
  }
}

function isCurrent({ session, issuedAt }: Verified): boolean {
  if (session === undefined) return true;
  const role = session.role.value;
  return role !== undefined && role.roleId === session.roleId && issuedAt > role.sessionsAfter;
}

function principalOf(claims: Claims, session: RoleSession | undefined): Principal | undefined {
  const { account, role, functionArn } = claims;
  if (role === undefined || session === undefined) {
    return functionArn === undefined ? undefined : functionPrincipal(account, functionArn);
  }
  return {
    account,
    kind: 'role',
    arn: `acs:ram::${account}:assumed-role/${role.name.toLowerCase()}/${role.session}`,
    name: role.name,
    sessionName: role.session,
    ...(functionArn === undefined ? {} : { functionArn }),
  };
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

function readClaims(body: string): Claims | undefined {
  const value: unknown = JSON.parse(Buffer.from(body, 'base64url').toString());
  if (typeof value !== 'object' || value === null) return undefined;
  const { a, k, i, e, f, r, d, s, p } = value as Readonly<Record<string, unknown>>;
  if (typeof a !== 'string' || typeof k !== 'string' || typeof i !== 'number' || typeof e !== 'number')
    return undefined;
  const functionArn = typeof f === 'string' ? f : undefined;
  const base = { account: a, accessKeyId: k, issuedAt: i, expiresAt: e, functionArn, policy: p };
  if (r === undefined) return { ...base, role: undefined };
  if (typeof r !== 'string' || typeof d !== 'string' || typeof s !== 'string') return undefined;
  return { ...base, role: { name: r, id: d, session: s } };
}
