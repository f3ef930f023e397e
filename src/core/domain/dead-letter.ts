import type { EndState } from './async-task.ts';

/** Why an event became a dead letter, and what is known of it: kept as evidence. */
export interface LetterCause {
  readonly account: string;
  readonly functionName: string;
  /** An invocation that failed, or the delivery of a result to a destination. */
  readonly kind: 'invocation' | 'delivery';
  readonly state: Exclude<EndState, 'Succeeded'>;
  readonly requestId: string;
  readonly taskId: string;
  readonly qualifier: string;
  readonly message: string;
  readonly attempts: number;
  /** Whatever else helps to understand it: the chain of a loop, the destination. JSON data. */
  readonly evidence?: Readonly<Record<string, unknown>>;
}

/** An event that ended badly and that nobody else took: kept until it is redriven, deleted or too old. */
export interface DeadLetter extends LetterCause {
  /** Grows with every letter. */
  readonly number: number;
  /** Wall-clock milliseconds of the end. */
  readonly at: number;
  readonly acceptedAt: number;
  readonly payloadBytes: number;
}
