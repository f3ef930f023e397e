/** What a caller was told: it worked, it was definitely not done, or (cut connection, fault of the platform) nobody can say. */
export type Told = 'ok' | 'refused' | 'unknown';

/** Times are milliseconds of this machine's monotonic clock: they stand above the clock that the platform is shown. */
export type HistoryEntry =
  | { readonly kind: 'deploy'; readonly at: number; readonly generation: number; readonly told: Told }
  | {
      readonly kind: 'call';
      readonly at: number;
      readonly id: string;
      readonly told: Told;
      /** The id in the answer of a call that worked. */
      readonly answered?: string;
      readonly message?: string;
    }
  | {
      readonly kind: 'event';
      readonly at: number;
      readonly id: string;
      readonly told: Told;
      /** Which of the workers it was for. */
      readonly functionName: string;
      /** Known for what was accepted. */
      readonly requestId?: string;
      /** Runs of this event that are to fail before one succeeds. */
      readonly failures: number;
    }
  | { readonly kind: 'object'; readonly at: number; readonly key: string; readonly text: string; readonly told: Told }
  | { readonly kind: 'fault'; readonly at: number; readonly fault: string; readonly detail: string };

/** What a function told the witness, in the order in which the witness heard it. */
export interface Testimony {
  readonly at: number;
  readonly what: 'begin' | 'end' | 'delivered';
  /** Of the event or call. */
  readonly id: string;
  /** One run of the function's code; `begin` and `end` of a run share it. */
  readonly run: string;
}

/** An end of an event as the platform recorded it. */
export interface RecordedEnd {
  readonly taskId: string;
  readonly state: string;
  readonly attempts: number;
  /** How each run of it was recorded, for people: nothing is judged by it. */
  readonly runs: readonly string[];
}

/** Everything that a round has left to judge by. */
export interface Evidence {
  readonly history: readonly HistoryEntry[];
  readonly testimony: readonly Testimony[];
  readonly ends: readonly RecordedEnd[];
  /** Objects found at the end, by key. */
  readonly objects: ReadonlyMap<string, string>;
  /** Generation of the code that answered at the end. */
  readonly generation: number;
  /** Highest number of retries after function errors that was configured. */
  readonly maxRetries: number;
  /** Whether succeeded events have a destination. */
  readonly destination: boolean;
}
