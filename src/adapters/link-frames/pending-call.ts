import type { FunctionErrorType } from '../../core/domain/invocation.ts';
import type { InstanceAnswer, InstanceCall } from '../../core/ports/instance-link.ts';
import { RESULT_FLAG, RESULT_HEADER_BYTES, RESULT_STATUS } from '../../core/protocol/runtime-frames.ts';
import { ResultStream } from './result-stream.ts';

/** What a call needs of the link it travels on. */
export interface CallHost {
  /** The caller is gone: tell the runtime and forget the call. */
  cancel(stream: number): void;
  /** The caller is gone before the call has begun. */
  revoke(stream: number): void;
  /** The call is over: forget it. */
  finished(stream: number): void;
  /** The reader of a chunked result is slow (or no longer). */
  pressure(full: boolean): void;
}

/** A call in flight: one object per call, which is also the listener of its abort signal, so that no closures are made. */
export class PendingCall {
  readonly call: InstanceCall;
  readonly stream: number;
  private readonly host: CallHost;
  private readonly resolve: (answer: InstanceAnswer) => void;
  private readonly reject: (reason: unknown) => void;
  private chunks: ResultStream | undefined;
  /** An answer after which the process ends: given once the connection is gone, so that nobody reuses the instance. */
  private lastAnswer: InstanceAnswer | undefined;
  private over = false;
  private started: boolean;

  constructor(
    host: CallHost,
    call: InstanceCall,
    stream: number,
    started: boolean,
    resolve: (answer: InstanceAnswer) => void,
    reject: (reason: unknown) => void,
  ) {
    this.host = host;
    this.call = call;
    this.stream = stream;
    this.started = started;
    this.resolve = resolve;
    this.reject = reject;
    call.signal.addEventListener('abort', this);
  }

  get isOver(): boolean {
    return this.over;
  }

  /** False while it waits behind another call of a runtime that runs one at a time. */
  get begun(): boolean {
    return this.started;
  }

  begin(): void {
    this.started = true;
    this.call.onBegun?.();
    if (this.call.signal.aborted) this.handleEvent();
  }

  /** The signal's listener. */
  handleEvent(): void {
    if (this.over) return;
    if (!this.started) return this.host.revoke(this.stream);
    this.close();
    this.host.cancel(this.stream);
    this.failWith(this.call.signal.reason);
  }

  /** A RESULT frame. `payload` is only valid now: what is kept is copied. */
  onResult(payload: Buffer): void {
    const status = payload[0];
    const more = payload[1] !== 0;
    const flags = payload.readUInt16LE(2);
    const exits = (flags & RESULT_FLAG.exits) !== 0;
    const body = Buffer.from(payload.subarray(RESULT_HEADER_BYTES));
    const answer: InstanceAnswer = {
      errorType: errorTypeOf(status),
      payload: more ? this.openStream(body) : body,
      memoryMb: payload.readUInt32LE(4) / 1024,
      quick: (flags & RESULT_FLAG.quick) !== 0,
    };
    if (exits && !more) {
      this.lastAnswer = answer;
      return;
    }
    if (!more) this.finish();
    this.resolve(answer);
  }

  onResultChunk(payload: Buffer): void {
    if (payload.length > 0) {
      this.chunks?.push(Buffer.from(payload));
      return;
    }
    this.finish();
    this.chunks?.end();
  }

  /** The call ends without (the rest of) an answer. */
  fail(error: Error): void {
    if (this.over) return;
    this.close();
    if (this.lastAnswer !== undefined) this.resolve(this.lastAnswer);
    else this.failWith(error);
  }

  private openStream(first: Buffer): ResultStream {
    const stream = new ResultStream(
      (full) => this.host.pressure(full),
      () => this.abandon(),
    );
    stream.push(first);
    this.chunks = stream;
    return stream;
  }

  /** The reader of the stream stopped early: whatever still comes is dropped. */
  private abandon(): void {
    if (this.over) return;
    this.close();
    this.host.cancel(this.stream);
  }

  private finish(): void {
    this.close();
    this.host.finished(this.stream);
  }

  private close(): void {
    this.over = true;
    this.call.signal.removeEventListener('abort', this);
  }

  private failWith(reason: unknown): void {
    if (this.chunks === undefined) this.reject(reason);
    else this.chunks.fail(reason instanceof Error ? reason : new Error(String(reason)));
  }
}

function errorTypeOf(status: number | undefined): FunctionErrorType | undefined {
  if (status === RESULT_STATUS.ok) return undefined;
  return status === RESULT_STATUS.handled ? 'HandledInvocationError' : 'UnhandledInvocationError';
}
