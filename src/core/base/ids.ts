import type { Random } from './random.ts';

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const HEX_MS: readonly string[] = Array.from({ length: 1000 }, (_, ms) => ms.toString(16).padStart(3, '0'));

/** Lower-case hexadecimal digits of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/**
 * A request id in Function Compute's form `1-<hex unix seconds>-<8 hex>-<12 hex>` (FC reference 2.6). The first three of the
 * eight are the milliseconds, the rest is random: ids sort by their time, so an index of them grows at its end instead of
 * everywhere.
 */
export function newRequestId(random: Random, nowMs: number): string {
  const hex = toHex(random.bytes(10));
  const ms = HEX_MS[Math.floor(nowMs) % 1000] ?? '000';
  return `1-${Math.floor(nowMs / 1000).toString(16)}-${ms}${hex.slice(3, 8)}-${hex.slice(8)}`;
}

/** An instance id in Function Compute's form `c-<hex seconds>-<8 hex>-<12 hex>` (FC reference 2.6). */
export function newInstanceId(random: Random, nowMs: number): string {
  const hex = toHex(random.bytes(10));
  return `c-${Math.floor(nowMs / 1000).toString(16)}-${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/** A version 4 UUID. */
export function newUuid(random: Random): string {
  const bytes = Uint8Array.from(random.bytes(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** `length` random lower-case letters, for names that must be valid DNS labels. */
export function newLetters(random: Random, length: number): string {
  let text = '';
  for (const byte of random.bytes(length)) text += String.fromCharCode(97 + (byte % 26));
  return text;
}
