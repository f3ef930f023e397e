import type { Disposable } from '../base/disposable.ts';
import type { EndState, TaskIdentity, TaskRecord, TaskStatus } from '../domain/async-task.ts';
import type { DeadLetter, LetterCause } from '../domain/dead-letter.ts';

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
  /** Followed as a task: every state it goes through is kept, also after its end. */
  readonly task?: TaskIdentity;
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
  /** What `retry` was told last about runs in a row that failed without counting. */
  readonly failures: number;
  readonly epoch: number;
  readonly expiresAt: number;
  /** Its task was told to stop: it must not run any more. */
  readonly stopping: boolean;
}

export interface QueueDepth {
  readonly waiting: number;
  readonly leased: number;
  /** Wall-clock milliseconds of acceptance of the oldest unsettled event; undefined when empty. */
  readonly oldestAcceptedAt: number | undefined;
}

/** When an event that did not end is tried again, and what is remembered of the run. */
export interface RetryPlan {
  readonly dueAt: number;
  /** Whether this run counts against the retry limit. */
  readonly countAttempt: boolean;
  /** Runs in a row that failed without counting; given back with the next lease. */
  readonly failures: number;
  /** For tasks: why it is tried again. Undefined when the event never ran and nothing is to be told. */
  readonly message?: string;
  readonly durationMs?: number;
}

/** The end of an event and all that follows from it: one transaction. */
export interface EventEnd {
  readonly state: EndState;
  /** Runs in all. */
  readonly attempts: number;
  /** Empty on success. */
  readonly message: string;
  /** Accepted together with the end; one whose id is known already changes nothing. */
  readonly followers: readonly NewEvent[];
  /** Keeps the event, payload and headers, as dead letter. */
  readonly letter?: LetterCause;
  /** For tasks: what the last run gave. */
  readonly result?: { readonly payload: Uint8Array; readonly durationMs: number };
  /** The task whose result this event was to deliver, and how that went. */
  readonly delivered?: Pick<TaskIdentity, 'account' | 'functionName' | 'taskId'> & { readonly status: string };
}

/** A recorded end. */
export interface EndRecord {
  /** Grows with every end of this queue since it was opened. */
  readonly number: number;
  readonly id: string;
  readonly headers: unknown;
  readonly acceptedAt: number;
  readonly state: EndState;
  readonly attempts: number;
  readonly message: string;
  readonly at: number;
}

export interface TaskQuery {
  readonly account: string;
  readonly functionName: string;
  readonly qualifier?: string;
  /** Of the task id. */
  readonly prefix?: string;
  readonly status?: TaskStatus;
  /** Wall-clock milliseconds of acceptance, both inclusive. */
  readonly from?: number;
  readonly to?: number;
  readonly order: 'asc' | 'desc';
  /** What the page before gave as `next`. */
  readonly after?: string;
  readonly limit: number;
  readonly payload: boolean;
}

/** A task with its bytes, as far as they were asked for. */
export interface StoredTask {
  readonly task: TaskRecord;
  readonly payload?: Uint8Array;
  readonly result?: Uint8Array;
}

/** The tasks of a queue. Ended ones are kept for `rememberMs`. */
export interface TaskTable {
  get(account: string, functionName: string, taskId: string): Promise<StoredTask | undefined>;
  /** In the order of acceptance. `next` is absent on the last page. */
  list(query: TaskQuery): Promise<{ readonly items: readonly StoredTask[]; readonly next?: string }>;
  /** The holder of the lease runs it now, there. False when the lease is lost, or the task is to stop. */
  running(event: LeasedEvent, instanceId: string): Promise<boolean>;
  /**
   * `stopped`: it waited, its event is gone and its end recorded. `stopping`: somebody holds it (see `onStop`) and has to
   * settle it as Stopped. `ended`: too late. Undefined: there is no such task.
   */
  stop(account: string, functionName: string, taskId: string): Promise<'stopped' | 'stopping' | 'ended' | undefined>;
  /** Announces the id of each leased event whose task is to stop. */
  onStop(listener: (eventId: string) => void): Disposable;
}

export interface LetterQuery {
  readonly account: string;
  readonly functionName?: string;
  readonly state?: string;
  /** Wall-clock milliseconds of the end, both inclusive. */
  readonly since?: number;
  readonly until?: number;
  /** Found anywhere in request id, task id, message, evidence or headers; upper and lower case are the same. */
  readonly text?: string;
  /** Only letters with a lower number: the page before's last. */
  readonly before?: number;
  readonly limit: number;
}

export interface StoredLetter {
  readonly letter: DeadLetter;
  readonly headers: unknown;
  readonly payload: Uint8Array;
}

/** The dead letters of a queue: bounded in number per function and in age, the oldest go first. */
export interface LetterTable {
  /** Newest first, without payloads. */
  list(query: LetterQuery): Promise<readonly DeadLetter[]>;
  get(account: string, number: number): Promise<StoredLetter | undefined>;
  /** False when there is no such letter (any more). */
  remove(account: string, number: number): Promise<boolean>;
  /** Takes the letter away and accepts the event, in one transaction. False when the letter is gone; nothing is accepted then. */
  redrive(account: string, number: number, event: NewEvent): Promise<boolean>;
  /** How many there are of each function that has any, of all accounts. */
  counts(): Promise<readonly { readonly account: string; readonly functionName: string; readonly count: number }[]>;
}

/**
 * Durable queue of asynchronous work.
 *
 * Promises: a resolved `enqueue` is on disk (group commit); at-least-once delivery; an event is leased to one holder at a
 * time; `renew`, `retry` and `settle` with an old epoch change nothing and answer false; an expired lease makes the event
 * available again; settled ids are remembered for de-duplication for `rememberMs`. An event has exactly one end: its record,
 * what follows from it and its removal are one transaction, and no record is lost before it was told.
 */
export interface EventQueue {
  readonly tasks: TaskTable;
  readonly letters: LetterTable;
  enqueue(events: readonly NewEvent[]): Promise<readonly ('accepted' | 'duplicate')[]>;
  /** Up to `max` due events, fairly between keys; keys in `skip` are left alone (their function has no room now). */
  lease(options: {
    max: number;
    leaseMs: number;
    now: number;
    skip?: ReadonlySet<string>;
  }): Promise<readonly LeasedEvent[]>;
  /**
   * All leases there are, taken from whoever held them, under a higher epoch. For those who know that every former holder is
   * gone (they hold the data folder's lock).
   */
  takeOver(options: { leaseMs: number; now: number }): Promise<readonly LeasedEvent[]>;
  renew(event: LeasedEvent, expiresAt: number): Promise<boolean>;
  /** Gives the event back. */
  retry(event: LeasedEvent, plan: RetryPlan): Promise<boolean>;
  /** The event has reached its end. */
  settle(event: LeasedEvent, end: EventEnd): Promise<boolean>;
  /** Announces every end, in the order of their numbers, once it is on disk. */
  onEnd(listener: (end: EndRecord) => void): Disposable;
  /** Recorded ends that were not `told`, in order: also those of a process that died before it could. */
  untold(limit: number): Promise<readonly EndRecord[]>;
  /** Ends up to and including this number are known where they have to be: their records may go. */
  told(number: number): Promise<void>;
  depth(key?: string): Promise<QueueDepth>;
  /** Of the keys that hold most, at most `limit`. */
  depths(limit: number): Promise<readonly (QueueDepth & { readonly key: string })[]>;
  /** Earliest wall-clock time at which something may be leasable; undefined = empty. */
  nextDue(): Promise<number | undefined>;
  /** Announces that something was enqueued or given back, and from when on it may be leased (wall clock, ms; 0: at once). */
  onAvailable(listener: (dueAt: number) => void): Disposable;
  close(): Promise<void>;
}
