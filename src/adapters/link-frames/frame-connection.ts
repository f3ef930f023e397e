import { connect, type Socket } from 'node:net';
import { LinkBrokenError } from '../../core/ports/instance-link.ts';
import { FrameDecoder, type FrameHandler } from '../../core/protocol/frame-codec.ts';

/** Batches up to this size are joined into one buffer: cheaper than a vectored write of small pieces. */
const JOIN_BYTES = 64 * 1024;
/** Reading is synchronous, so all connections of the process share the memory they read into. */
const READ_BUFFER = Buffer.allocUnsafe(64 * 1024);

/** What the owner of a connection hears from it. `onFrame` gets payloads that are valid during the call only. */
export interface FrameConnectionOwner {
  onFrame: FrameHandler;
  /** Called once, when the connection is gone. `readAll`: everything that the peer ever sent has been read. */
  onClosed(readAll: boolean): void;
}

/**
 * One connection to a runtime. Frames sent within one turn of the event loop leave in one write; a peer that breaks the
 * framing is cut off.
 */
export class FrameConnection {
  private readonly socket: Socket;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private scheduled = false;
  private open = true;
  private readonly flushNow = (): void => {
    this.flush();
  };

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Connects to the Unix socket at `path`; rejects with LinkBrokenError when nothing accepts there. */
  static connect(path: string, owner: FrameConnectionOwner): Promise<FrameConnection> {
    return new Promise((resolve, reject) => {
      let connected = false;
      let readAll = false;
      const decoder = new FrameDecoder((type, stream, payload) => owner.onFrame(type, stream, payload), {
        chunksAreReused: true,
      });
      const socket = connect({
        path,
        onread: {
          buffer: READ_BUFFER,
          callback: (count, buffer) => {
            try {
              decoder.push((buffer as Buffer).subarray(0, count));
            } catch (error) {
              socket.destroy(error instanceof Error ? error : undefined);
            }
            return true;
          },
        },
      });
      const connection = new FrameConnection(socket);
      socket.on('connect', () => {
        connected = true;
        resolve(connection);
      });
      socket.on('end', () => {
        readAll = true;
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        // A reset is told after the last byte; a failed write tears down what was still unread.
        if (error.syscall === 'read') readAll = true;
        if (!connected) reject(new LinkBrokenError(`cannot reach the runtime: ${error.message}`, { cause: error }));
      });
      socket.on('close', () => {
        connection.open = false;
        connection.pending = [];
        if (connected) owner.onClosed(readAll);
      });
    });
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** Queues a frame (or part of one) for this turn's write. `late` waits for the other events of this turn as well. */
  send(bytes: Buffer, late: boolean): void {
    if (!this.open) return;
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    if (this.scheduled) return;
    this.scheduled = true;
    if (late) setImmediate(this.flushNow);
    else process.nextTick(this.flushNow);
  }

  /** Writes what is queued; false when the peer reads slower than we write. */
  flush(): boolean {
    this.scheduled = false;
    const pieces = this.pending;
    const bytes = this.pendingBytes;
    if (pieces.length === 0 || !this.open) return true;
    this.pending = [];
    this.pendingBytes = 0;
    if (pieces.length === 1) return this.socket.write(pieces[0] as Buffer);
    if (bytes <= JOIN_BYTES) return this.socket.write(Buffer.concat(pieces, bytes));
    this.socket.cork();
    for (const piece of pieces) this.socket.write(piece);
    this.socket.uncork();
    return !this.socket.writableNeedDrain;
  }

  /** Resolves when more may be written or the connection is gone. */
  drained(): Promise<void> {
    if (!this.open || !this.socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.socket.off('drain', done);
        this.socket.off('close', done);
        resolve();
      };
      this.socket.on('drain', done);
      this.socket.on('close', done);
    });
  }

  /** Stops or resumes reading: back-pressure from a slow reader of a result to the runtime. */
  setReading(reading: boolean): void {
    if (reading) this.socket.resume();
    else this.socket.pause();
  }

  close(): void {
    this.flush();
    this.socket.destroy();
  }
}
