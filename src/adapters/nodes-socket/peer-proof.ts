import { createHmac, timingSafeEqual } from 'node:crypto';

const SECRET_BYTES = 32;

/** The secret that server and agent of one installation share, from its master secret; good for nothing else. */
export function peerSecret(masterSecret: Uint8Array): Buffer {
  if (masterSecret.byteLength < SECRET_BYTES) throw new Error('the master secret has less than 32 bytes');
  return createHmac('sha256', masterSecret).update('server and agent').digest();
}

/**
 * Proves that `role` knows the secret, for one connection: both ends have put a nonce in, so that a proof heard once is worth nothing
 * later, and the role keeps one end's proof from being sent back as the other's.
 */
export function peerProof(
  secret: Uint8Array,
  role: 'server' | 'agent',
  nonces: { readonly server: string; readonly agent: string },
): string {
  const text = `tidemill 1\n${role}\n${nonces.server}\n${nonces.agent}`;
  return createHmac('sha256', secret).update(text).digest('base64url');
}

/** Compared in constant time. */
export function sameProof(given: unknown, expected: string): boolean {
  if (typeof given !== 'string') return false;
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}
