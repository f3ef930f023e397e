import type { Disposable } from '../base/disposable.ts';
import type { Fact } from '../domain/fact.ts';

export interface FactPage {
  readonly facts: readonly Fact[];
  /** Pass to the next `read` to continue after the last fact given. */
  readonly cursor: string;
}

export interface FactQuery {
  readonly account: string;
  readonly functionName: string;
  readonly types?: readonly Fact['type'][];
  readonly requestId?: string;
  /** Wall-clock milliseconds, inclusive lower bound. */
  readonly since?: number;
  readonly after?: string;
  readonly limit: number;
}

/**
 * Append-only record of what happened. Promises: order per function; readable by cursor; bounded retention (oldest go
 * first). `append` returns at once and never blocks the warm path; it is on disk within `flushMs` (default 100 ms) or when
 * `flush` resolves. Whatever must survive a crash is in the event queue, not here.
 */
export interface FactLog {
  append(fact: Fact): void;
  flush(): Promise<void>;
  /** Oldest first; includes facts not flushed yet. */
  read(query: FactQuery): Promise<FactPage>;
  /** Newest `limit` matching facts, oldest of them first. */
  latest(query: Omit<FactQuery, 'after'>): Promise<FactPage>;
  subscribe(listener: (fact: Fact) => void): Disposable;
  close(): Promise<void>;
}
