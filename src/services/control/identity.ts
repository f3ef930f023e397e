import { createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/base/clock.ts';
import { toHex } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import { functionPrincipal, rootPrincipal, type TemporaryCredentials } from '../../core/domain/credentials.ts';
import type { Identity, KnownKey } from '../../core/ports/identity.ts';
import { isRecord } from './fields.ts';

export interface RootKey {
  readonly account: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
}

interface IdentityOptions {
  readonly rootKey: RootKey;
  /** At least 32 bytes; whoever has it can make credentials for every function. */
  readonly masterSecret: Uint8Array | string;
  readonly clock: Clock;
  readonly random: Random;
}

const LIFE_MS = 60 * 60 * 1000;
/** Renewed when less than this is left, so that a call never starts with credentials about to end. */
const RENEW_MS = LIFE_MS / 3;
const VERIFIED_CAPACITY = 20_000;
const ISSUED_CAPACITY = 100_000;
const TOKEN_LENGTH_MAX = 2_048;

/** What a token says, signed; short names because it rides in headers. */
interface Claims {
  readonly a: string;
  readonly f: string;
  readonly k: string;
  /** Expiry, wall-clock milliseconds. */
  readonly e: number;
}

interface Verified {
  readonly token: string;
  readonly key: KnownKey;
  readonly expiresAt: number;
}

/**
 * Access keys: the root key, and temporary ones for instances. Temporary credentials are stateless: the token carries signed claims and
 * the secret is derived from the key id, so every server with the same master secret knows them, also after a restart. They cannot be
 * revoked before their expiry, one hour at most.
 */
export class KeyIdentity implements Identity {
  private readonly options: IdentityOptions;
  private readonly root: KnownKey;
  private readonly verified = new LRUCache<string, Verified>({ max: VERIFIED_CAPACITY });
  private readonly issued = new LRUCache<string, TemporaryCredentials>({ max: ISSUED_CAPACITY });

  constructor(options: IdentityOptions) {
    if (Buffer.byteLength(options.masterSecret) < 32) throw new Error('the master secret has less than 32 bytes');
    this.options = options;
    const { account, accessKeySecret } = options.rootKey;
    this.root = { secret: accessKeySecret, principal: rootPrincipal(account) };
  }

  findKey(accessKeyId: string, securityToken: string | undefined): KnownKey | undefined {
    const token = securityToken === '' ? undefined : securityToken;
    if (accessKeyId === this.options.rootKey.accessKeyId) return token === undefined ? this.root : undefined;
    if (token === undefined || token.length > TOKEN_LENGTH_MAX) return undefined;
    const known = this.verified.get(accessKeyId);
    const verified = known?.token === token ? known : this.verify(accessKeyId, token);
    if (verified === undefined || verified.expiresAt <= this.options.clock.now()) return undefined;
    return verified.key;
  }

  private verify(accessKeyId: string, token: string): Verified | undefined {
    const [body = '', signature = '', ...rest] = token.split('.');
    if (rest.length > 0 || !sameText(signature, this.sign('token', body))) return undefined;
    const claims = readClaims(body);
    if (claims === undefined || claims.k !== accessKeyId) return undefined;
    const key: KnownKey = {
      secret: this.sign('secret', accessKeyId),
      principal: functionPrincipal(claims.a, claims.f),
    };
    const verified = { token, key, expiresAt: claims.e };
    this.verified.set(accessKeyId, verified);
    return verified;
  }

  credentialsFor(account: string, functionArn: string): TemporaryCredentials {
    const now = this.options.clock.now();
    const cacheKey = `${account} ${functionArn}`;
    const known = this.issued.get(cacheKey);
    // A clock that was set back must not stretch a life.
    if (known !== undefined && known.expiresAt - now >= RENEW_MS && known.expiresAt - now <= LIFE_MS) return known;
    const accessKeyId = `STS.${toHex(this.options.random.bytes(16))}`;
    const expiresAt = now + LIFE_MS;
    const claims: Claims = { a: account, f: functionArn, k: accessKeyId, e: expiresAt };
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
    const credentials: TemporaryCredentials = {
      accessKeyId,
      accessKeySecret: this.sign('secret', accessKeyId),
      securityToken: `${body}.${this.sign('token', body)}`,
      expiresAt,
    };
    this.issued.set(cacheKey, credentials);
    return credentials;
  }

  /** `purpose` keeps a token's signature from being a secret, and the other way round. */
  private sign(purpose: 'token' | 'secret', text: string): string {
    return createHmac('sha256', this.options.masterSecret).update(`${purpose}\n${text}`).digest('base64url');
  }
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

function readClaims(body: string): Claims | undefined {
  const value: unknown = JSON.parse(Buffer.from(body, 'base64url').toString());
  if (!isRecord(value)) return undefined;
  const { a, f, k, e } = value;
  if (typeof a !== 'string' || typeof f !== 'string' || typeof k !== 'string' || typeof e !== 'number')
    return undefined;
  return { a, f, k, e };
}
