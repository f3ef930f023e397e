import { BatchThread } from '../../core/base/batch-thread.ts';
import type { Clock } from '../../core/base/clock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { EventQueue } from '../../core/ports/event-queue.ts';
import { startThread } from '../sqlite/node-thread.ts';
import { SqliteEventQueue } from './event-queue.ts';
import type { LetterBounds } from './letter-rows.ts';
import { encodeCalls } from './encode-calls.ts';
import type { Outgoing } from './queue-writer.ts';

export interface EventQueueOptions {
  /** The database file; `-wal` and `-shm` files stand beside it. One queue at a time may have it open. */
  readonly path: string;
  /** Gives the time of acceptance and settlement. */
  readonly clock: Clock;
  /** How long a settled event's id still answers `duplicate`, and an ended task is kept; milliseconds. */
  readonly rememberMs: number;
  /** By default those of the limits table. */
  readonly letters?: LetterBounds;
}

/**
 * Calls of one transaction. Two are under way at once: while one is committed the next is collected, which needs more callers
 * than fit into one.
 */
const MAX_CALLS = 1_000;

/** So long at most the first of a crowd waits for the others. */
const GATHER_MS = 1;

const LETTERS: LetterBounds = {
  perFunction: LIMITS.deadLettersPerFunction,
  keptMs: LIMITS.deadLetterKeptSeconds * 1_000,
};

/**
 * The event queue on SQLite: one thread owns the file and commits whatever is waiting in one synced transaction. Payloads
 * given to `enqueue` must not be changed until it resolves. Rejects with InternalServerError when the file cannot be opened.
 */
export async function openEventQueue(options: EventQueueOptions): Promise<EventQueue> {
  const { path, clock, rememberMs, letters = LETTERS } = options;
  const writer = await BatchThread.start<Outgoing>({
    thread: startThread(import.meta.url, 'writer-worker', { path, rememberMs, letters }),
    defer: setImmediate,
    encode: encodeCalls,
    failure: (message) => new TidemillError('InternalServerError', `the event queue ${path} failed: ${message}`),
    maxCalls: MAX_CALLS,
    gather: { maxMs: GATHER_MS, now: () => clock.monotonic() },
    maxWeight: 8 * 1024 * 1024,
  });
  return new SqliteEventQueue(writer, clock);
}
