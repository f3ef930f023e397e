import type { TemporaryCredentials } from '../../core/domain/credentials.ts';
import {
  type InstanceAnswer,
  type InstanceCall,
  type InstanceLink,
  LinkBrokenError,
  StaleEpochError,
} from '../../core/ports/instance-link.ts';
import { encodeFrame } from '../../core/protocol/frame-codec.ts';
import { CHUNK_BYTES, FRAME } from '../../core/protocol/runtime-frames.ts';
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

  constructor(attachment: Attachment, options: { readonly sendCredentials: boolean }) {
    this.connection = attachment.connection;
    this.sendCredentials = options.sendCredentials;
    this.busyAtConnect = attachment.hello.busy;
    this.busy = new Set(attachment.hello.busy);
    this.closed = this.end.promise;
    if (this.busy.size === 0) this.drain.resolve();
    attachment.handOver({
      onFrame: (type, stream, payload) => this.onFrame(type, stream, payload),
      onClosed: () => this.onClosed(),
    });
  }

  invoke(call: InstanceCall): Promise<InstanceAnswer> {
    if (call.input.kind !== 'event') {
      return Promise.reject(new TypeError('a built-in runtime takes events: HTTP calls are turned into one before'));
    }
    if (!this.connection.isOpen) return Promise.reject(brokenLink());
    if (call.signal.aborted) return Promise.reject(call.signal.reason);
    const payload = call.input.payload;
    return new Promise((resolve, reject) => {
      const stream = this.takeStream();
      const pending = new PendingCall(this, call, stream, resolve, reject);
      const frames = encodeInvoke(stream, call, payload, this.changedCredentials(call.credentials));
      // A lone call goes out at once; among others it joins the write of this turn.
      const late = this.calls.size > 0;
      this.calls.set(stream, pending);
      for (const piece of frames.head) this.connection.send(piece, late);
      if (frames.rest.length > 0) void this.sendRest(pending, frames.rest);
    });
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
    this.connection.send(encodeFrame(FRAME.cancel, stream, NOTHING), false);
  }

  finished(stream: number): void {
    this.calls.delete(stream);
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
    if (pending === undefined) return; // of a call that was given up
    if (type === FRAME.result) pending.onResult(payload);
    else if (type === FRAME.resultChunk) pending.onResultChunk(payload);
    else if (type === FRAME.output) pending.call.onOutput?.(payload.toString());
    else if (type === FRAME.stale) {
      this.calls.delete(stream);
      pending.fail(new StaleEpochError(`the instance has seen a newer epoch than ${pending.call.epoch}`));
    }
  }

  private onEnded(payload: Buffer): void {
    const { requestId } = JSON.parse(payload.toString()) as { requestId: string };
    if (this.busy.delete(requestId) && this.busy.size === 0) this.drain.resolve();
  }

  private onClosed(): void {
    const calls = [...this.calls.values()];
    this.calls.clear();
    this.end.resolve();
    for (const pending of calls) pending.fail(brokenLink());
  }
}

function brokenLink(): LinkBrokenError {
  return new LinkBrokenError('the connection to the instance is gone');
}
