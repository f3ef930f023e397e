/**
 * Immutable byte strings of accounts, named `ACCOUNT/DIGEST` by their SHA-256 (lower-case hex). Promises: a resolved `put` is on disk under
 * its digest; putting the same bytes twice for an account is one blob, for two accounts it is two, and none can tell that the other has
 * it; bytes read back are verified against the digest (a mismatch rejects).
 */
export interface BlobStore {
  put(account: string, bytes: Uint8Array | AsyncIterable<Uint8Array>): Promise<{ digest: string; size: number }>;
  /** Undefined when there is no such blob. */
  get(id: string): Promise<Uint8Array | undefined>;
  /** Streams the blob; the stream fails at its end if the bytes do not match. */
  open(id: string): Promise<{ size: number; body: AsyncIterable<Uint8Array> } | undefined>;
  has(id: string): Promise<boolean>;
  delete(id: string): Promise<void>;
  /** The ids of all accounts' blobs. */
  list(): AsyncIterable<string>;
}

/** The name of the blob that holds a package. */
export function blobId(code: { readonly owner: string; readonly digest: string }): string {
  return `${code.owner}/${code.digest}`;
}
