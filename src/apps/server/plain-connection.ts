import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/base/clock.ts';
import type { TidemillError } from '../../core/domain/errors.ts';
import { errorBody } from '../../doors/wire/answer.ts';
import { checkedBody } from '../../doors/wire/body.ts';
import { CallerLeft, type Exchange, type RequestHead } from '../../doors/wire/exchange.ts';
import { answerHead } from './plain-answer.ts';
import { plainBody } from './plain-body.ts';
import { framingOf } from './plain-framing.ts';
import { type KnownLines, knownLines, type PlainRequest, plainRequest, type Taken } from './plain-request.ts';

/** What the connections of one listener share. */
export interface PlainOptions {
  readonly taken: Taken;
  readonly handle: (exchange: Exchange) => void;
  /** Gives the socket to `node:http` for good; what was read and not answered is back in it. */
  readonly handOver: (connection: PlainConnection, socket: Socket) => void;
  readonly closed: (connection: PlainConnection) => void;
  readonly keepAliveSeconds: number;
  readonly clock: Clock;
  /** No call begins on this listener any more: answers close their connection. */
  readonly draining: () => boolean;
}

/** Small answers go out as one piece: copying them costs less than a second buffer in the write. */
const ONE_PIECE = 16 * 1024;
/** So many bytes may come while a call runs before reading stops: who sends ahead waits for the answer. */
const MAX_AHEAD = 64 * 1024;
/** So many pieces may a chunked body come in. */
const MAX_PIECES = 4;

/**
 * One connection that is answered without `node:http`, as long as what comes are plain requests, one after the other. At the
 * first byte that is anything else the socket is handed over. Ends with its socket.
 */
export class PlainConnection {
  private readonly socket: Socket;
  private readonly options: PlainOptions;
  private readonly known: KnownLines = knownLines();
  /** What has come and is not part of a call: the beginning of a request, or what was sent ahead. */
  private kept: Buffer | undefined = undefined;
  /** The request whose body is not complete. */
  private begun: PlainRequest | undefined = undefined;
  /** How often the chunks of that body came up short. */
  private pieces = 0;
  private call: PlainExchange | undefined = undefined;
  /** False until the first call: who says nothing at all is given less time. */
  served = false;
  /** When the last answer ended, or the connection was accepted; monotonic milliseconds. */
  idleSince: number;
  /** When the last piece of a body came that is not complete. */
  private heardAt = 0;

  constructor(socket: Socket, options: PlainOptions) {
    this.socket = socket;
    this.options = options;
    this.idleSince = options.clock.monotonic();
    socket.on('data', this.onData);
    socket.on('end', this.onEnd);
    socket.on('error', this.onError);
    socket.on('close', this.onClose);
  }

  /** Neither a call nor a request that has begun. */
  get idle(): boolean {
    return this.call === undefined && this.begun === undefined;
  }

  /** Whether a body has begun and nothing of it has come since then. */
  stalledSince(at: number): boolean {
    return this.begun !== undefined && this.heardAt < at;
  }

  destroy(): void {
    this.socket.destroy();
  }

  private readonly onData = (chunk: Buffer): void => {
    const bytes = this.kept === undefined ? chunk : Buffer.concat([this.kept, chunk]);
    if (this.call === undefined) {
      this.read(bytes);
      return;
    }
    this.kept = bytes;
    if (bytes.length > MAX_AHEAD) this.socket.pause();
  };

  private read(bytes: Buffer): void {
    const request = this.begun ?? plainRequest(bytes, this.options.taken, this.socket, this.known);
    const body = request === undefined ? undefined : plainBody(bytes, request.bodyAt, request.bodyLength);
    if (request === undefined || body === undefined || (body !== 'incomplete' && body.end < bytes.length)) {
      this.handOver(bytes);
      return;
    }
    if (body === 'incomplete') {
      // chunks are counted from the first one each time: who sends many small pieces is better streamed
      if (request.bodyLength === 'chunked' && ++this.pieces > MAX_PIECES) {
        this.handOver(bytes);
        return;
      }
      this.begun = request;
      this.heardAt = this.options.clock.monotonic();
      this.kept = bytes;
      return;
    }
    this.begun = undefined;
    this.kept = undefined;
    this.pieces = 0;
    this.call = new PlainExchange(this.socket, this.options, request.head, body.bytes, this.answered);
    this.options.handle(this.call);
  }

  private readonly answered = (close: boolean): void => {
    this.call = undefined;
    this.served = true;
    this.idleSince = this.options.clock.monotonic();
    const { socket } = this;
    if (close) {
      socket.destroySoon();
    } else if (socket.writableNeedDrain) {
      // who does not read answers is not asked for more requests
      socket.pause();
      socket.once('drain', this.next);
    } else if (this.kept !== undefined) {
      this.next();
    }
  };

  private readonly next = (): void => {
    const { kept } = this;
    this.kept = undefined;
    if (kept !== undefined) this.read(kept);
    this.socket.resume();
  };

  private handOver(bytes: Buffer): void {
    const { socket } = this;
    this.kept = undefined;
    this.begun = undefined;
    this.release();
    socket.pause();
    socket.unshift(bytes);
    this.options.handOver(this, socket);
    socket.resume();
  }

  private release(): void {
    const { socket } = this;
    socket.off('data', this.onData);
    socket.off('end', this.onEnd);
    socket.off('error', this.onError);
    socket.off('close', this.onClose);
    socket.off('drain', this.next);
  }

  /** A client that closes its side has left, as with `node:http`. */
  private readonly onEnd = (): void => {
    this.socket.end();
  };

  /** The `close` that follows says all there is to say. */
  private readonly onError = (): void => {
    this.socket.destroy();
  };

  private readonly onClose = (): void => {
    this.release();
    this.options.closed(this);
    this.call?.left();
  };
}

class PlainExchange implements Exchange {
  readonly head: RequestHead;
  private readonly socket: Socket;
  private readonly options: PlainOptions;
  private readonly bytes: Buffer;
  private readonly answered: (close: boolean) => void;
  private caller: CallerLeft | undefined = undefined;
  private state: 'waiting' | 'streaming' | 'done' = 'waiting';

  constructor(
    socket: Socket,
    options: PlainOptions,
    head: RequestHead,
    bytes: Buffer,
    answered: (close: boolean) => void,
  ) {
    this.socket = socket;
    this.options = options;
    this.head = head;
    this.bytes = bytes;
    this.answered = answered;
  }

  get cancel(): CallerLeft {
    if (this.caller === undefined) {
      this.caller = new CallerLeft();
      if (this.socket.destroyed) this.caller.leave();
    }
    return this.caller;
  }

  /** The socket has closed. */
  left(): void {
    this.state = 'done';
    this.caller?.leave();
  }

  body(limit: number, sha256: string | undefined): Buffer {
    return checkedBody(this.bytes, limit, sha256);
  }

  incoming(limit: number): Uint8Array {
    return checkedBody(this.bytes, limit, undefined);
  }

  send(status: number, headers: string[], body?: Uint8Array): void {
    headers.push('content-length', String(body?.byteLength ?? 0));
    this.write(status, headers, body, this.options.draining());
  }

  answer(status: number, headers: string[], body?: Uint8Array): void {
    const framing = framingOf(status, headers);
    const written = framing === 'none' ? undefined : body;
    // with no length, or another than the body's, only the end of the connection says where the answer ends
    const clear = framing === 'none' || framing === (written?.byteLength ?? 0);
    this.write(status, headers, written, this.options.draining() || !clear);
  }

  async stream(status: number, headers: string[], source: AsyncIterable<Uint8Array>): Promise<void> {
    const close = this.options.draining();
    const framing = framingOf(status, headers);
    if (framing === 'chunked') headers.push('transfer-encoding', 'chunked');
    const head = this.state === 'waiting' ? this.headOf(status, headers, close) : '';
    const { socket } = this;
    const closed = new AbortController();
    const onClose = (): void => closed.abort();
    socket.once('close', onClose);
    if (this.state === 'waiting') {
      this.state = 'streaming';
      socket.write(head, 'latin1');
    } else {
      closed.abort();
    }
    try {
      let size = 0;
      for await (const chunk of source) {
        if (closed.signal.aborted) return;
        if (chunk.byteLength === 0 || framing === 'none') continue; // an empty chunk would end the body
        size += chunk.byteLength;
        if (framing !== 'chunked' && size > framing) break;
        const room = framing === 'chunked' ? writeChunk(socket, chunk) : socket.write(chunk);
        if (!room) await once(socket, 'drain', { signal: closed.signal });
      }
      if (closed.signal.aborted) return;
      if (framing === 'chunked') socket.write('0\r\n\r\n', 'latin1');
      this.state = 'done';
      // not as long as announced: the client must not take what follows for a part of it, or wait for the rest
      if (typeof framing === 'number' && size !== framing) socket.destroy();
      else this.answered(close);
    } catch (error) {
      if (!closed.signal.aborted) throw error;
    } finally {
      socket.off('close', onClose);
    }
  }

  refuse(requestId: string, error: TidemillError, more: readonly string[] = []): void {
    if (this.state === 'streaming') this.socket.destroy();
    if (this.state !== 'waiting') return;
    const ids = ['x-fc-request-id', requestId, 'x-acs-request-id', requestId];
    this.send(error.status, [...more, 'content-type', 'application/json', ...ids], errorBody(requestId, error));
  }

  private write(status: number, headers: readonly string[], body: Uint8Array | undefined, close: boolean): void {
    if (this.state !== 'waiting') return;
    const size = body?.byteLength ?? 0;
    const head = this.headOf(status, headers, close);
    const { socket } = this;
    this.state = 'done';
    if (body === undefined || size > ONE_PIECE) {
      socket.cork();
      socket.write(head, 'latin1');
      if (body !== undefined) socket.write(body);
      socket.uncork();
    } else {
      const answer = Buffer.allocUnsafe(head.length + size);
      answer.write(head, 'latin1');
      answer.set(body, head.length);
      socket.write(answer);
    }
    this.answered(close);
  }

  private headOf(status: number, headers: readonly string[], close: boolean): string {
    const { keepAliveSeconds, clock } = this.options;
    return answerHead(status, headers, { close, keepAliveSeconds, nowMs: clock.now() });
  }
}

function writeChunk(socket: Socket, chunk: Uint8Array): boolean {
  socket.cork();
  socket.write(`${chunk.byteLength.toString(16)}\r\n`, 'latin1');
  socket.write(chunk);
  const room = socket.write('\r\n', 'latin1');
  socket.uncork();
  return room;
}
