import type { TemporaryCredentials } from '../../core/domain/credentials.ts';
import {
  type InstanceAnswer,
  type InstanceCall,
  type InstanceLink,
  LinkBrokenError,
  NotBegunError,
  StaleEpochError,
} from '../../core/ports/instance-link.ts';
import { encodeFrame } from '../../core/protocol/frame-codec.ts';
import { CHUNK_BYTES, FRAME, RESULT_FLAG } from '../../core/protocol/runtime-frames.ts';
import type { Attachment } from './attachment.ts';
import type { FrameConnection } from './frame-connection.ts';
import { encodeInvoke, requestChunkHeader } from './invoke-frame.ts';
import { type CallHost, PendingCall } from './pending-call.ts';

const NOTHING = new Uint8Array(0);

/** InstanceLink to a built-in runtime: frames over the instance's Unix socket, one hop, many calls at once. */
export class FramesLink implements InstanceLink, CallHost {
  readonly busyAtConnect: readonly string[];
  readonly closed: Promise<void>;
  private readonly connection: FrameConnection;
  private readonly sendCredentials: boolean;
  private readonly calls = new Map<number, PendingCall>();
  private readonly busy: Set<string>;
  private readonly drain = Promise.withResolvers<void>();
  private readonly end = Promise.withResolvers<void>();
  private nextStream = 1;
  private sentCredentials: TemporaryCredentials | undefined;
  /** Results whose reader is slow. Reading stops only when no other call would wait for it. */
  private slowReaders = 0;
  private reading = true;
  /** The runtime runs one call at a time, in the order in which they were sent. */
  private readonly serial: boolean;
  /** The call such a runtime is running, also when its caller has left; 0 = none. */
  private running = 0;
  /** Calls whose payload needs more than one frame: none may overtake it. */
  private readonly large = new Set<number>();

  constructor(attachment: Attachment, options: { readonly sendCredentials: boolean; readonly serial: boolean }) {
    this.serial = options.serial;
    this.connection = attachment.connection;
    this.sendCredentials = options.sendCredentials;
    this.busyAtConnect = attachment.hello.busy;
    this.busy = new Set(attachment.hello.busy);
    this.closed = this.end.promise;
    if (this.busy.size === 0) this.drain.resolve();
    attachment.handOver({
      onFrame: (type, stream, payload) => this.onFrame(type, stream, payload),
      onClosed: (readAll) => this.onClosed(readAll),
    });
  }

  invoke(call: InstanceCall): Promise<InstanceAnswer> {
    if (call.input.kind !== 'event') {
      return Promise.reject(new TypeError('a built-in runtime takes events: HTTP calls are turned into one before'));
    }
    if (!this.connection.isOpen) return Promise.reject(brokenLink());
    if (call.signal.aborted) return Promise.reject(call.signal.reason);
    const payload = call.input.payload;
    const behind = this.serial && this.running !== 0;
    if (behind && (this.large.size > 0 || payload.byteLength > CHUNK_BYTES)) return Promise.reject(notBegun());
    return new Promise((resolve, reject) => {
      const stream = this.takeStream();
      const pending = new PendingCall(this, call, stream, !behind, resolve, reject);
      const frames = encodeInvoke(stream, call, payload, this.changedCredentials(call.credentials));
      // A lone call goes out at once; among others it joins the write of this turn.
      const late = this.calls.size > 0;
      this.calls.set(stream, pending);
      if (!behind && this.serial) this.running = stream;
      if (!behind) call.onBegun?.();
      for (const piece of frames.head) this.connection.send(piece, late);
      if (frames.rest.length > 0) {
        if (this.serial) this.large.add(stream);
        void this.sendRest(pending, frames.rest);
      }
    });
  }

  revoke(call: InstanceCall | number): void {
    for (const pending of this.calls.values())
      if (pending.call === call || pending.stream === call) this.takeBack(pending);
  }

  private takeBack({ begun, stream }: PendingCall): void {
    if (!begun) this.connection.send(encodeFrame(FRAME.revoke, stream, NOTHING), false);
  }

  /** Resolves when everything in `busyAtConnect` has ended. Stays pending when the link breaks before: race with `closed`. */
  drained(): Promise<void> {
    return this.drain.promise;
  }

  close(): void {
    this.connection.close();
  }

  cancel(stream: number): void {
    this.finished(stream);
    // The instance may be replaced for it: what has not begun goes elsewhere now.
    if (stream === this.running) for (const pending of this.calls.values()) this.takeBack(pending);
    this.connection.send(encodeFrame(FRAME.cancel, stream, NOTHING), false);
  }

  finished(stream: number): void {
    this.calls.delete(stream);
    if (this.large.size > 0) this.large.delete(stream);
    this.applyPressure();
  }

  pressure(full: boolean): void {
    this.slowReaders += full ? 1 : -1;
    this.applyPressure();
  }

  private applyPressure(): void {
    const reading = this.slowReaders === 0 || this.calls.size > 1;
    if (reading === this.reading) return;
    this.reading = reading;
    this.connection.setReading(reading);
  }

  private takeStream(): number {
    const stream = this.nextStream;
    this.nextStream = stream === 0xffff_ffff ? 1 : stream + 1;
    return stream;
  }

  private changedCredentials(credentials: TemporaryCredentials): TemporaryCredentials | undefined {
    if (!this.sendCredentials || credentials === this.sentCredentials) return undefined;
    const sent = this.sentCredentials;
    this.sentCredentials = credentials;
    const same =
      sent?.securityToken === credentials.securityToken &&
      sent.accessKeyId === credentials.accessKeyId &&
      sent.accessKeySecret === credentials.accessKeySecret;
    return same ? undefined : credentials;
  }

  /** The payload behind the head frame, no faster than the runtime reads; other calls' frames go between the chunks. */
  private async sendRest(pending: PendingCall, rest: Buffer): Promise<void> {
    for (let at = 0; at < rest.length; at += CHUNK_BYTES) {
      if (!this.connection.flush()) await this.connection.drained();
      if (pending.isOver || !this.connection.isOpen) return;
      const piece = rest.subarray(at, at + CHUNK_BYTES);
      this.connection.send(requestChunkHeader(pending.stream, piece.length), false);
      this.connection.send(piece, false);
    }
    this.connection.send(requestChunkHeader(pending.stream, 0), false);
  }

  private onFrame(type: number, stream: number, payload: Buffer): void {
    if (type === FRAME.ended) return this.onEnded(payload);
    const pending = this.calls.get(stream);
    if (pending !== undefined) this.deliver(pending, type, payload); // else of a call that was given up
    if (stream !== this.running) return;
    if (type === FRAME.stale || (type === FRAME.result && (payload.readUInt16LE(2) & RESULT_FLAG.exits) === 0)) {
      this.answered();
    }
  }

  /** The runtime's one call has been answered: it has begun the next. */
  private answered(): void {
    this.running = 0;
    for (const pending of this.calls.values()) {
      if (pending.begun) continue;
      this.running = pending.stream;
      return pending.begin();
    }
  }

  private deliver(pending: PendingCall, type: number, payload: Buffer): void {
    const { stream } = pending;
    if (type === FRAME.result) pending.onResult(payload);
    else if (type === FRAME.resultChunk) pending.onResultChunk(payload);
    else if (type === FRAME.output) pending.call.onOutput?.(payload.toString());
    else if (type === FRAME.revoked) {
      this.finished(stream);
      pending.fail(notBegun());
    } else if (type === FRAME.stale) {
      this.finished(stream);
      pending.fail(new StaleEpochError(`the instance has seen a newer epoch than ${pending.call.epoch}`));
    }
  }

  private onEnded(payload: Buffer): void {
    const { requestId } = JSON.parse(payload.toString()) as { requestId: string };
    if (this.busy.delete(requestId) && this.busy.size === 0) this.drain.resolve();
  }

  private onClosed(readAll: boolean): void {
    const calls = [...this.calls.values()];
    this.calls.clear();
    this.end.resolve();
    for (const pending of calls) {
      // Only when every answer was read is it certain which call the runtime had reached.
      pending.fail(readAll && !pending.begun ? notBegun() : brokenLink());
    }
  }
}

function brokenLink(): LinkBrokenError {
  return new LinkBrokenError('the connection to the instance is gone');
}

function notBegun(): NotBegunError {
  return new NotBegunError('the call had not begun');
}
