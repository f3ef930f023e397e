import type { Disposable } from '../base/disposable.ts';

export interface NewEvent {
  /** Unique per queue; a second enqueue with the same id answers `duplicate` and changes nothing. */
  readonly id: string;
  /** Fairness key: consumers are served round-robin between keys (`account/function`). */
  readonly key: string;
  /** Wall-clock milliseconds before which it is not leased. */
  readonly dueAt: number;
  /** Small JSON envelope (request id, qualifier, lineage, ...). */
  readonly headers: unknown;
  readonly payload: Uint8Array;
}

/** The right to process one event until `expiresAt`; every lease of an event has a higher epoch than the one before. */
export interface LeasedEvent {
  readonly id: string;
  readonly key: string;
  readonly headers: unknown;
  readonly payload: Uint8Array;
  readonly acceptedAt: number;
  /** Runs counted against the retry limit so far (bumped by `retry` with `countAttempt`). */
  readonly attempts: number;
  readonly epoch: number;
  readonly expiresAt: number;
}

export interface QueueDepth {
  readonly waiting: number;
  readonly leased: number;
  /** Wall-clock milliseconds of acceptance of the oldest unsettled event; undefined when empty. */
  readonly oldestAcceptedAt: number | undefined;
}

/**
 * Durable queue of asynchronous work.
 *
 * Promises: a resolved `enqueue` is on disk (group commit); at-least-once delivery; an event is leased to one holder at a
 * time; `renew`, `retry` and `settle` with an old epoch change nothing and answer false; an expired lease makes the event
 * available again; settled ids are remembered for de-duplication for `rememberMs`.
 */
export interface EventQueue {
  enqueue(events: readonly NewEvent[]): Promise<readonly ('accepted' | 'duplicate')[]>;
  /** Up to `max` due events, fairly between keys; keys in `skip` are left alone (their function has no room now). */
  lease(options: {
    max: number;
    leaseMs: number;
    now: number;
    skip?: ReadonlySet<string>;
  }): Promise<readonly LeasedEvent[]>;
  renew(event: LeasedEvent, expiresAt: number): Promise<boolean>;
  /** Gives the event back for `dueAt`; `countAttempt` says whether this run counts against the retry limit. */
  retry(event: LeasedEvent, dueAt: number, countAttempt: boolean): Promise<boolean>;
  /** The event has reached its end. */
  settle(event: LeasedEvent): Promise<boolean>;
  depth(key?: string): Promise<QueueDepth>;
  /** Earliest wall-clock time at which something may be leasable; undefined = empty. */
  nextDue(): Promise<number | undefined>;
  /** Announces that something was enqueued or given back. */
  onAvailable(listener: () => void): Disposable;
  close(): Promise<void>;
}
