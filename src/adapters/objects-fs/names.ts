import { TidemillError } from '../../core/domain/errors.ts';

const KEY_BYTES = 1023;

/** Throws InvalidBucketName unless the name is one that both OSS and S3 accept. */
export function checkBucketName(name: string): void {
  const wellFormed = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !/\.\.|\.-|-\./.test(name);
  if (!wellFormed || /^\d+\.\d+\.\d+\.\d+$/.test(name)) {
    throw new TidemillError('InvalidBucketName', `"${name.slice(0, 100)}" is not a valid bucket name`);
  }
}

/** Throws InvalidObjectName unless the key has 1 to 1023 bytes of well-formed UTF-8 without U+0000. */
export function checkKey(key: string): void {
  const length = Buffer.byteLength(key, 'utf8');
  if (length === 0 || length > KEY_BYTES) {
    throw new TidemillError('InvalidObjectName', `An object key has 1 to ${KEY_BYTES} bytes, this one has ${length}`);
  }
  if (key.includes('\0') || !key.isWellFormed()) {
    throw new TidemillError('InvalidObjectName', 'An object key is well-formed UTF-8 without the character U+0000');
  }
}

/**
 * The least string above every string that starts with `prefix`, in byte order of UTF-8; undefined when there is none
 * (an empty prefix, or only the last code point repeated).
 */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0);
    if (point === undefined || point === 0x10ffff) continue;
    // Surrogates are not characters: U+D7FF is followed by U+E000.
    return points.join('') + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
  }
  return undefined;
}
