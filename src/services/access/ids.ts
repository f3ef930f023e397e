import { toHex } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';

/** `length` decimal digits, the first of them not 0. */
export function newDigits(random: Random, length: number): string {
  let text = '';
  while (text.length < length) {
    // 250 is the largest multiple of 10 in a byte: above it some digits would come more often.
    for (const byte of random.bytes(length)) {
      if (byte < 250 && text.length < length && (text !== '' || byte % 10 !== 0)) text += byte % 10;
    }
  }
  return text;
}

/** An access key: the id is 24 characters as the vendor's, the secret has 192 bits. */
export function newAccessKey(random: Random): { readonly accessKeyId: string; readonly accessKeySecret: string } {
  return {
    accessKeyId: `TMAK${toHex(random.bytes(10)).toUpperCase()}`,
    accessKeySecret: Buffer.from(random.bytes(24)).toString('base64url'),
  };
}
