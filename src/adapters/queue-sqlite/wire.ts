import type { EndState, TaskIdentity, TaskRecord } from '../../core/domain/async-task.ts';
import type { LetterCause } from '../../core/domain/dead-letter.ts';
import type { EndRecord, EventEnd, LetterQuery, NewEvent, RetryPlan, TaskQuery } from '../../core/ports/event-queue.ts';
import type { PackedEvents } from './packed-events.ts';

/**
 * What travels from the queue's owner to its writer thread. Times are whole milliseconds; bytes go beside, in one buffer: those
 * of a call lie one after the other, in the order in which
 * `sizesOf` and `PackedEvents` name them.
 */
export type QueueCall = EnqueueCall | SingleCall;

/** A call that travels as it is. */
export type SingleCall =
  | LeaseCall
  | TakeOverCall
  | { readonly op: 'renew'; readonly id: string; readonly epoch: number; readonly expiresAt: number }
  | RetryCall
  | SettleCall
  | { readonly op: 'untold'; readonly limit: number }
  | { readonly op: 'told'; readonly number: number }
  | { readonly op: 'depth'; readonly key: string | undefined }
  | { readonly op: 'depths'; readonly limit: number }
  | { readonly op: 'next-due' }
  | {
      readonly op: 'task-running';
      readonly id: string;
      readonly epoch: number;
      readonly instanceId: string;
      readonly now: number;
    }
  | { readonly op: 'task-stop'; readonly owner: string; readonly taskId: string; readonly now: number }
  | { readonly op: 'task-get'; readonly owner: string; readonly taskId: string }
  | { readonly op: 'task-list'; readonly owner: string; readonly query: TaskQuery }
  | { readonly op: 'letter-list'; readonly query: LetterQuery; readonly now: number }
  | { readonly op: 'letter-get' | 'letter-remove'; readonly account: string; readonly number: number }
  | RedriveCall
  | { readonly op: 'letter-counts' };

/** `enqueue` calls that came one after the other, as one: it is answered with an answer for each. */
export interface EnqueueCall {
  readonly op: 'enqueue';
  readonly packed: PackedEvents;
}

/** The answer of an `enqueue` call: that all its events were accepted, or which were. */
export type EnqueueAnswer = typeof ALL_ACCEPTED | readonly ('accepted' | 'duplicate')[];
export const ALL_ACCEPTED = 1;

export interface LeaseCall {
  readonly op: 'lease';
  readonly max: number;
  readonly leaseMs: number;
  readonly now: number;
  readonly skip: readonly string[];
}

export interface TakeOverCall {
  readonly op: 'take-over';
  readonly leaseMs: number;
  readonly now: number;
}

export interface RetryCall extends RetryPlan {
  readonly op: 'retry';
  readonly id: string;
  readonly epoch: number;
  readonly now: number;
}

export interface SettleCall {
  readonly op: 'settle';
  readonly id: string;
  readonly epoch: number;
  readonly now: number;
  readonly state: EndState;
  readonly attempts: number;
  readonly message: string;
  readonly followers: readonly WireEvent[];
  readonly letter: LetterCause | undefined;
  readonly result: { readonly size: number; readonly durationMs: number } | undefined;
  readonly delivered: EventEnd['delivered'];
}

export interface RedriveCall {
  readonly op: 'letter-redrive';
  readonly account: string;
  readonly number: number;
  readonly now: number;
  readonly event: WireEvent;
}

export interface WireEvent {
  readonly id: string;
  readonly key: string;
  readonly dueAt: number;
  /** JSON text. */
  readonly headers: string;
  readonly size: number;
  readonly task: TaskIdentity | undefined;
}

export interface WireLease {
  readonly id: string;
  readonly key: string;
  readonly headers: string;
  readonly acceptedAt: number;
  readonly attempts: number;
  readonly failures: number;
  readonly epoch: number;
  readonly expiresAt: number;
  readonly stopping: boolean;
  readonly payload: Bytes;
}

/** Where bytes lie in the buffer that comes with the answers. */
export interface Bytes {
  readonly offset: number;
  readonly size: number;
}

export type WireEnd = Omit<EndRecord, 'headers'> & { readonly headers: string };

export interface WireTask {
  readonly number: number;
  readonly task: TaskRecord;
  readonly payload: Bytes | undefined;
  readonly result: Bytes | undefined;
}

/** What `task-stop` did, and to which event. */
export interface WireStop {
  readonly outcome: 'stopped' | 'stopping' | 'ended';
  readonly eventId: string;
  readonly end: WireEnd | undefined;
}

/** The sizes of the byte strings that travel with a call, in their order. */
export function sizesOf(call: SingleCall): readonly number[] {
  if (call.op === 'letter-redrive') return [call.event.size];
  if (call.op !== 'settle') return NONE;
  const sizes = call.followers.map((event) => event.size);
  return call.result === undefined ? sizes : [...sizes, call.result.size];
}

const NONE: readonly number[] = [];

/** Copies the parts into one buffer of their total size, which can be transferred to another thread. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const part of parts) size += part.byteLength;
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

/** Collects the bytes of answers, to be sent as one buffer. */
export class OutgoingBytes {
  readonly parts: Uint8Array[] = [];
  private offset = 0;

  add(bytes: unknown): Bytes {
    const part = bytes instanceof Uint8Array ? bytes : new Uint8Array(0);
    const at = { offset: this.offset, size: part.byteLength };
    this.parts.push(part);
    this.offset += part.byteLength;
    return at;
  }
}

/** Never earlier than asked for; a time that is no number would poison the whole batch, so it is refused here. */
export function wholeTime(at: number): number {
  const whole = Math.ceil(at);
  if (!Number.isSafeInteger(whole)) throw new TypeError(`${at} is not a time in milliseconds`);
  return whole;
}

export function toWire(event: NewEvent): WireEvent {
  const headers = JSON.stringify(event.headers);
  if (headers === undefined) throw new TypeError(`the headers of event ${event.id} are not JSON data`);
  return {
    id: event.id,
    key: event.key,
    dueAt: wholeTime(event.dueAt),
    headers,
    size: event.payload.byteLength,
    task: event.task,
  };
}

/** A copy: what comes beside belongs to all answers of a batch. */
export function bytesAt({ offset, size }: Bytes, bytes: Uint8Array | undefined): Uint8Array {
  return bytes?.slice(offset, offset + size) ?? new Uint8Array(0);
}
