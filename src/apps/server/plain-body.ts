/** How long the body of a plain request is: bytes, or as its chunks say. */
export type BodyLength = number | 'chunked';

/** A body that is complete, and where the bytes after it begin. */
export interface PlainBody {
  readonly bytes: Buffer;
  readonly end: number;
}

/** Longer bodies are `node:http`'s: it streams them. */
export const MAX_BODY = 64 * 1024;
const MAX_SIZE_DIGITS = 5;
const CR = 13;
const LF = 10;

/**
 * The body that begins at `at`. `incomplete`: more bytes may make it whole. Undefined: it is nothing for the plain path. Of
 * chunked bodies only the plainest form is read: sizes in hexadecimal without leading zeros, no extensions, no trailers.
 */
export function plainBody(bytes: Buffer, at: number, length: BodyLength): PlainBody | 'incomplete' | undefined {
  if (length === 'chunked') return chunkedBody(bytes, at);
  const end = at + length;
  return end > bytes.length ? 'incomplete' : { bytes: bytes.subarray(at, end), end };
}

function chunkedBody(bytes: Buffer, at: number): PlainBody | 'incomplete' | undefined {
  const parts: Buffer[] = [];
  let total = 0;
  let here = at;
  for (;;) {
    const begin = here;
    let size = 0;
    for (let digit = digitOf(bytes[here]); digit >= 0; digit = digitOf(bytes[++here])) size = size * 16 + digit;
    const digits = here - begin;
    if (digits > MAX_SIZE_DIGITS || (digits > 1 && digitOf(bytes[begin]) === 0)) return undefined;
    if (here === bytes.length) return 'incomplete';
    total += size;
    if (digits === 0 || total > MAX_BODY) return undefined;
    const ended = endsLine(bytes, here);
    if (ended !== true) return ended;
    const data = here + 2;
    here = data + size;
    if (here > bytes.length) return 'incomplete';
    const closed = endsLine(bytes, here);
    if (closed !== true) return closed;
    here += 2;
    if (size === 0) break;
    parts.push(bytes.subarray(data, data + size));
  }
  const [first] = parts;
  return { bytes: parts.length === 1 && first !== undefined ? first : Buffer.concat(parts, total), end: here };
}

/** Whether a CRLF stands there; `incomplete` when the bytes end before that can be told. */
function endsLine(bytes: Buffer, at: number): true | 'incomplete' | undefined {
  if (at >= bytes.length) return 'incomplete';
  if (bytes[at] !== CR) return undefined;
  if (at + 1 >= bytes.length) return 'incomplete';
  return bytes[at + 1] === LF ? true : undefined;
}

/** Value of a hexadecimal digit; -1 for anything else. */
function digitOf(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
