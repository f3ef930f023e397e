import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Identity } from '../../core/ports/identity.ts';
import type { Address } from './address.ts';
import type { ChunkSignatures } from './aws-chunked.ts';

/** How the signature binds the body. */
export type Payload =
  | { readonly kind: 'plain'; readonly sha256?: string }
  | { readonly kind: 'chunked'; readonly signatures?: ChunkSignatures };

/** A caller whose signature has been verified. */
export interface Verified {
  readonly principal: Principal;
  readonly address: Address;
  readonly payload: Payload;
}

export interface SignatureContext {
  readonly identity: Pick<Identity, 'findKey' | 'noteUse'>;
  /** Wall clock, milliseconds. */
  readonly now: number;
  readonly candidates: readonly Address[];
}

export const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** Header values arrive as one character per byte; `text` is Unicode. Both become bytes before hashing. */
export function utf8AsBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function sha256Hex(byteString: string): string {
  return createHash('sha256').update(byteString, 'latin1').digest('hex');
}

export function hmac(algorithm: 'sha1' | 'sha256', key: string | Buffer, byteString: string): Buffer {
  return createHmac(algorithm, key).update(byteString, 'latin1').digest();
}

/** The key of a V4 scheme: the secret folded with day, region, product and terminator. */
export function foldKey(secret: string, scope: readonly string[]): Buffer {
  return scope.reduce<Buffer>((key, part) => hmac('sha256', key, part), Buffer.from(secret, 'utf8'));
}

export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8');
  const right = Buffer.from(b, 'utf8');
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Throws InvalidAccessKeyID when the id, or the token that goes with it, is not known. */
export function findKey(
  identity: Pick<Identity, 'findKey'>,
  accessKeyId: string,
  token: string | undefined,
): { secret: string; principal: Principal } {
  const key = identity.findKey(accessKeyId, token);
  if (key !== undefined) return key;
  const what = token === undefined ? 'access key id does not exist' : 'access key id or security token is not valid';
  throw new TidemillError('InvalidAccessKeyID', `The ${what}`);
}

export function signatureMismatch(): TidemillError {
  return new TidemillError(
    'SignatureNotMatch',
    'The signature that the request carries is not the one that this server calculates',
  );
}

/** Throws RequestTimeTooSkewed when the signing time is more than 15 minutes off. */
export function checkSkew(signedAt: number, now: number): void {
  if (Math.abs(now - signedAt) <= LIMITS.signatureSkewSeconds * 1000) return;
  throw new TidemillError(
    'RequestTimeTooSkewed',
    `The request was signed at ${new Date(signedAt).toISOString()}, the time here is ${new Date(now).toISOString()}`,
  );
}

/** Throws AccessDenied once a presigned request is past its end, RequestTimeTooSkewed before its beginning. */
export function checkPresignedTimes(signedAt: number, expiresSeconds: string, now: number): void {
  const seconds = Number(expiresSeconds);
  if (!/^\d{1,6}$/.test(expiresSeconds) || seconds < 1 || seconds > 7 * 86_400) {
    throw new TidemillError('InvalidArgument', 'A presigned request is valid for 1 to 604800 seconds');
  }
  if (now > signedAt + seconds * 1000) throw requestExpired();
  if (signedAt > now) checkSkew(signedAt, now);
}

export function requestExpired(): TidemillError {
  return new TidemillError('AccessDenied', 'Request has expired', { remedy: 'Sign a new request.' });
}

/** Milliseconds of `20260131T120000Z`; undefined when malformed. */
export function parseCompactTime(text: string | undefined): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

export function malformedAuthorization(what: string): TidemillError {
  return new TidemillError('InvalidArgument', `The authorization is malformed: ${what}`);
}
