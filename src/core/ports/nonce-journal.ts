/**
 * What one server let in, for the next: signed requests by the second of their date (Unix time) and a fingerprint, a whole
 * number from 1 to 2^52, that tells those of one second apart.
 *
 * Promises: `append` returns at once and does no I/O; what was appended is with the operating system within
 * `NONCE_WRITE_MS`, so a server that is killed takes no more than that with it; after a machine that went down without a
 * `close`, `floor` is the time of the start. Nothing is kept of seconds that are older than the window.
 */
export interface NonceJournal {
  /** Requests dated before this second cannot be told from replays. */
  readonly floor: number;
  /** What earlier servers let in; once, before the first `append`. */
  recall(each: (second: number, fingerprint: number) => void): void;
  append(second: number, fingerprint: number): void;
  /** The next server shall not be asked about what is dated before this second either. */
  raiseFloor(second: number): void;
  /** Resolves when everything is on disk. */
  close(): Promise<void>;
}

/** See `NonceJournal`. */
export const NONCE_WRITE_MS = 50;
