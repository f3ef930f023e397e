import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/**
 * A sealed record: format, version of the data key, salt of the process that sealed it, number of the record, text, tag. AES-256-GCM under
 * a key drawn (HKDF-SHA-256) from data key and salt. The salt is new with every process, the number counts: no nonce ever repeats under a
 * key, and no key seals more than its counter allows, however many records an account has.
 */
const FORMAT = 1;
const SALT_BYTES = 16;
const COUNTER_BYTES = 8;
const HEADER_BYTES = 1 + 2 + SALT_BYTES + COUNTER_BYTES;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

export const OVERHEAD = HEADER_BYTES + TAG_BYTES;
export const SALT = SALT_BYTES;

/** The key of one salt. */
export function recordKey(dataKey: Uint8Array, salt: Uint8Array): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', dataKey, salt, 'tidemill record', 32)));
}

export interface RecordHead {
  readonly version: number;
  readonly salt: Buffer;
}

/** Undefined when this is no sealed record. */
export function headOf(sealed: Uint8Array): RecordHead | undefined {
  if (sealed.byteLength < OVERHEAD || sealed[0] !== FORMAT) return undefined;
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  return { version: bytes.readUInt16BE(1), salt: bytes.subarray(3, 3 + SALT_BYTES) };
}

export function sealRecord(
  key: KeyObject,
  head: { readonly version: number; readonly salt: Uint8Array; readonly count: bigint },
  about: Buffer,
  plain: Uint8Array,
): Buffer {
  const sealed = Buffer.allocUnsafe(plain.byteLength + OVERHEAD);
  sealed[0] = FORMAT;
  sealed.writeUInt16BE(head.version, 1);
  sealed.set(head.salt, 3);
  sealed.writeBigUInt64BE(head.count, 3 + SALT_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonceOf(sealed)).setAAD(about);
  const end = HEADER_BYTES + cipher.update(plain).copy(sealed, HEADER_BYTES);
  cipher.final(); // a stream cipher holds nothing back
  cipher.getAuthTag().copy(sealed, end);
  return sealed;
}

/** Throws when a byte of it is not what was sealed. */
export function openRecord(key: KeyObject, about: Buffer, sealed: Uint8Array): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const decipher = createDecipheriv(CIPHER, key, nonceOf(bytes)).setAAD(about);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const plain = decipher.update(bytes.subarray(HEADER_BYTES, -TAG_BYTES));
  decipher.final();
  return plain;
}

function nonceOf(sealed: Buffer): Buffer {
  const nonce = Buffer.alloc(12);
  sealed.copy(nonce, 12 - COUNTER_BYTES, 3 + SALT_BYTES, HEADER_BYTES);
  return nonce;
}
