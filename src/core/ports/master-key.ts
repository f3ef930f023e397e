import type { Disposable } from '../base/disposable.ts';

/** A data key as it may lie on disk: only the master key of that id makes it readable again. */
export interface WrappedKey {
  readonly master: string;
  readonly wrapped: Uint8Array;
}

/**
 * The key above all others, wherever it is kept: a file, or a service outside. It wraps data keys and is never seen by anything else.
 *
 * Promises: what was wrapped under any key that is still there is unwrapped, also after a rotation; a wrapped key that was changed, or
 * is given with another context, is refused (rejects); the secret itself is in no error.
 */
export interface MasterKey {
  /** Id of the key that `wrap` uses now. */
  current(): string;
  /** `context` says what the key is for; it is no secret, and must be given again. */
  wrap(key: Uint8Array, context: string): Promise<WrappedKey>;
  unwrap(wrapped: WrappedKey, context: string): Promise<Uint8Array>;
  /** Called when another key has become the current one. */
  onRotated(listener: () => void): Disposable;
  close(): void;
}
