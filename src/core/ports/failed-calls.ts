/** What a call that failed was given. Payloads may hold personal data. */
export interface FailedCall {
  readonly account: string;
  readonly functionName: string;
  /** As asked for: `LATEST`, a version number or an alias name. */
  readonly qualifier: string;
  readonly requestId: string;
  /** Wall-clock milliseconds of the failure. */
  readonly at: number;
  readonly payload: Uint8Array;
}

/** Whatever passes one of these goes: the oldest first, of the function or of all. */
export interface FailedCallBounds {
  /** Of a payload; a longer one is not kept. */
  readonly payloadBytes: number;
  readonly perFunction: number;
  /** On disk, of all together. */
  readonly bytes: number;
  readonly keptMs: number;
}

/**
 * Keeps what failed calls were given, so that they can be run again: best effort, within bounds. Promises: `keep` returns at
 * once, does no I/O and copies what it keeps; no more is written than the disk takes, failures that come faster are not kept;
 * what was kept is whole or not there, wherever the process is killed; nothing is found beyond its age; of one call the last
 * failure counts; `forget` leaves no byte of a function.
 */
export interface FailedCalls {
  keep(call: FailedCall): void;
  /** The latest with this id, of any function of the account unless one is named. */
  find(account: string, requestId: string, functionName?: string): Promise<FailedCall | undefined>;
  /** Everything of a function, also what is still to be written. */
  forget(account: string, functionName: string): Promise<void>;
  /** Resolves when all that was kept is written. */
  close(): Promise<void>;
}
