/**
 * Seals what is written to disk, each account's under a data key of its own, and opens it again.
 *
 * Promises: what was sealed for an account and a place opens only for both; anything that was changed, cut or moved is refused (throws);
 * the same bytes sealed twice look different; what was sealed opens after restarts and after rotations of the master key. Sealing says
 * nothing about the length: it is the plain length and `overhead`.
 */
export interface Vault {
  /** Bytes that sealing adds. */
  readonly overhead: number;
  /**
   * Resolves when the account's keys are at hand, made if there are none: before the first `seal` or `open` of an account. Undefined
   * when they are already. Rejects when the master key does not open them.
   */
  ready(account: string): Promise<void> | undefined;
  /** `place` names where the bytes will lie (a key, a row): they open nowhere else. Throws when the account is not ready. */
  seal(account: string, place: string, plain: Uint8Array): Uint8Array;
  /** Throws when the bytes are not exactly what was sealed for this account and place, or the account is not ready. */
  open(account: string, place: string, sealed: Uint8Array): Uint8Array;
  /**
   * For what is too large for one piece. Pieces that were left out, put elsewhere, or come from another stream are refused: the stream
   * then fails, at the latest at its end.
   */
  sealStream(account: string, plain: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  openStream(account: string, sealed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Bytes in a stream whose sealed form has so many; undefined when no stream has. */
  plainSize(sealedSize: number): number | undefined;
}

/** Stands for the installation itself, where something belongs to no account. */
export const INSTALLATION = 'installation';
