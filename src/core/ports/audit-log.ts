/** Something that somebody asked of the platform's control, or was denied. */
export interface AuditEntry {
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly requestId: string;
  /** Empty when it is not known who asked. */
  readonly account: string;
  /** ARN of who asked; empty when that is not known. */
  readonly principal: string;
  /** As it was given, true or not; empty when none was. */
  readonly accessKeyId: string;
  readonly sourceIp: string;
  /** `fc:CreateFunction`, or method and path where the door knows no action. */
  readonly action: string;
  readonly resource: string;
  readonly outcome: 'done' | 'failed' | 'denied';
  /** Error code; empty when it was done. */
  readonly code: string;
  /** Denials alike within a short time stand in one entry: how many there were. */
  readonly count: number;
}

/** An entry in its place. */
export interface AuditRecord extends AuditEntry {
  /** 1, 2, 3 ... without a gap. */
  readonly number: number;
  /** Seal over this record and, through the one before, over all that came earlier. */
  readonly seal: string;
}

export type AuditVerdict =
  | { readonly sound: true; readonly from: number; readonly to: number }
  /** `number`: the first record that is not as it was written, or not in its place. */
  | { readonly sound: false; readonly number: number; readonly why: string };

export interface AuditQuery {
  /** All accounts without it. */
  readonly account?: string;
  /** Records with a smaller number only, for paging. */
  readonly before?: number;
  readonly limit: number;
}

/**
 * What was asked of the platform's control, append-only. Promises: a resolved `append` is on disk; records are numbered in order and
 * chained by a keyed seal, so that a record that was changed, taken out of the middle or put in is found by `verify`; what a
 * kill cut off at the end is the record being written and nothing else; the oldest go when all together pass the bound.
 */
export interface AuditLog {
  append(entry: AuditEntry): Promise<void>;
  /** Newest first. */
  read(query: AuditQuery): Promise<readonly AuditRecord[]>;
  verify(): Promise<AuditVerdict>;
  /** Resolves when all that was appended is written. */
  close(): Promise<void>;
}
