/** How the end of an answer's body is told: by chunks, by its length, or there is none. */
export type Framing = 'chunked' | 'none' | number;

/** What HTTP says of bodies of these (RFC 9110 6.4.1); requests of other methods than HEAD are all that is answered here. */
export function mayHaveBody(status: number): boolean {
  return status !== 204 && status !== 304;
}

/** By the status, then by the headers (names and values alternating). Throws when they announce a length in a way that could be read in two ways. */
export function framingOf(status: number, headers: readonly string[]): Framing {
  let length: number | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (name.length !== CONTENT_LENGTH.length || name.toLowerCase() !== CONTENT_LENGTH) continue;
    const value = headers[i + 1] ?? '';
    if (length !== undefined || !/^\d{1,15}$/.test(value)) throw new TypeError('the length of the answer is not clear');
    length = Number(value);
  }
  return mayHaveBody(status) ? (length ?? 'chunked') : 'none';
}

const CONTENT_LENGTH = 'content-length';
