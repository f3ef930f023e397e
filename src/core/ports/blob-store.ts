/**
 * Immutable byte strings named by their SHA-256 (lower-case hex). Promises: a resolved `put` is on disk under its digest;
 * putting the same bytes twice is one blob; bytes read back are verified against the digest (a mismatch rejects).
 */
export interface BlobStore {
  put(bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: string; size: number }>;
  /** Undefined when there is no such blob. */
  get(digest: string): Promise<Uint8Array | undefined>;
  /** Streams the blob; the stream fails at its end if the bytes do not match. */
  open(digest: string): Promise<{ size: number; body: AsyncIterable<Uint8Array> } | undefined>;
  has(digest: string): Promise<boolean>;
  delete(digest: string): Promise<void>;
  list(): AsyncIterable<string>;
}
