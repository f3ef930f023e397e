import type { QueueCall } from './wire.ts';

/** A call with the bytes that travel beside it. */
export interface Outgoing {
  readonly call: QueueCall;
  readonly payloads: readonly Uint8Array[];
}

/** Whoever carries calls to the tables and commits them. `read` runs in the order of the calls. */
export interface QueueWriter {
  call<Answer, Result>(
    outgoing: Outgoing,
    weight: number,
    read: (answer: Answer, bytes: Uint8Array | undefined) => Result,
  ): Promise<Result>;
  close(): Promise<void>;
}

/** What a call weighs beside its bytes. */
export const CALL_WEIGHT = 64;
