import type { DeadLetter } from '../domain/dead-letter.ts';
import type { LetterQuery, StoredLetter } from './event-queue.ts';

/** Which letters: one, or all that match. */
export type LetterSelection =
  | { readonly number: number }
  | Pick<LetterQuery, 'functionName' | 'state' | 'since' | 'until' | 'text'>;

/** Dead letters, for the operations door. Every failure is a TidemillError. */
export interface DeadLetters {
  /** Newest first. */
  list(query: LetterQuery): Promise<readonly DeadLetter[]>;
  /** DeadLetterNotFound. */
  get(account: string, number: number): Promise<StoredLetter>;
  /**
   * Accepts the letters' events again, in the transactions that take the letters away. A failed invocation runs again, on
   * `qualifier` when given; a result that could not be delivered is delivered again. Resolves to how many; rejects with
   * FunctionNotFound, VersionNotFound, AliasNotFound, DeadLetterNotFound at the first that cannot be.
   */
  redrive(account: string, selection: LetterSelection, qualifier: string | undefined): Promise<number>;
  /** Resolves to how many there were. */
  remove(account: string, selection: LetterSelection): Promise<number>;
  counts(): Promise<readonly { readonly account: string; readonly functionName: string; readonly count: number }[]>;
}
