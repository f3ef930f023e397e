import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Random } from '../../core/base/random.ts';

/** Keeps secrets of access keys unreadable in the metadata store: who signs needs them back, so they cannot be hashed. */
export interface SecretBox {
  /** `context` binds the result to what it is for: opening it for anything else fails. */
  seal(secret: string, context: string): string;
  /** Throws when the text was not sealed by this installation for this context. */
  open(sealed: string, context: string): string;
}

const FORMAT = '1';
const NONCE = 12;
const TAG = 16;

/**
 * Seals with AES-256-GCM under a key derived (HKDF) from the installation's master secret. That is one key for all accounts, and it lies
 * in the data folder: it protects copies of the database, not of the folder.
 */
export function masterSecretBox(masterSecret: Uint8Array, random: Random): SecretBox {
  const key = Buffer.from(hkdfSync('sha256', masterSecret, '', 'tidemill access keys', 32));
  return {
    seal(secret, context) {
      const nonce = random.bytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(Buffer.from(context));
      const sealed = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${FORMAT}.${sealed.toString('base64url')}`;
    },
    open(sealed, context) {
      if (!sealed.startsWith(`${FORMAT}.`)) throw new Error('the secret is sealed in an unknown format');
      const bytes = Buffer.from(sealed.slice(FORMAT.length + 1), 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE), { authTagLength: TAG });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG));
      const opened = Buffer.concat([decipher.update(bytes.subarray(NONCE, bytes.length - TAG)), decipher.final()]);
      return opened.toString('utf8');
    },
  };
}
