import type { UnpackedCall } from './packed-events.ts';
import type { SingleCall } from './wire.ts';

/** An `enqueue` call before those that travel with it are known. */
export interface OutgoingEvents extends UnpackedCall {
  readonly op: 'enqueue';
}

/** A call with the bytes that travel beside it. */
export interface Outgoing {
  readonly call: OutgoingEvents | SingleCall;
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
