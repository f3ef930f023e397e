/** What travels from the log's owner to its writer thread. */
export type LogCall =
  | {
      readonly op: 'append';
      /** Facts as JSON, one per line. */
      readonly lines: string;
      /** Wall-clock milliseconds, for retention. */
      readonly now: number;
    }
  | { readonly op: 'read'; readonly query: LogQuery }
  | { readonly op: 'trim'; readonly now: number };

export interface LogQuery {
  /** `account/function`. */
  readonly stream: string;
  readonly types: readonly string[] | undefined;
  readonly requestId: string | undefined;
  readonly since: number | undefined;
  /** Sequence number to continue after; undefined reads the newest instead of the oldest. */
  readonly after: number | undefined;
  readonly limit: number;
}

export interface LogPage {
  /** JSON texts, oldest first. */
  readonly bodies: readonly string[];
  /** Sequence number of the last one given, or from where to continue when none was. */
  readonly last: number;
}

export interface Retention {
  /** Facts older than this are dropped, milliseconds. Dropping is by segment: up to a sixteenth later. */
  readonly maxAgeMs: number;
  /** Room on disk that facts may take, bytes; the oldest are dropped beyond it. */
  readonly maxBytes: number;
}
