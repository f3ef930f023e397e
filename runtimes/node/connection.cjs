'use strict';
const { FrameReader } = require('./protocol.cjs');

/** Batches up to this size are joined into one buffer: cheaper than a vectored write of small pieces. */
const JOIN_BYTES = 64 * 1024;

/**
 * One attached peer: the agent or a server. Frames sent within one turn of the event loop leave in one write.
 */
class Connection {
  /**
   * @param {import('node:net').Socket} socket
   * @param {(connection: Connection, type: number, stream: number, payload: Buffer) => void} onFrame
   * @param {(connection: Connection) => void} onClose
   */
  constructor(socket, onFrame, onClose) {
    this.socket = socket;
    this.open = true;
    /** @type {'' | 'agent' | 'server'} */
    this.role = '';
    /** Credentials of the last call that brought some: the peer sends them only when they change. @type {any} */
    this.credentials = undefined;
    /** Calls whose payload is still arriving, by stream. @type {Map<number, import('./calls.cjs').Arriving>} */
    this.arriving = new Map();
    /** @type {Buffer[]} */
    this.pending = [];
    this.pendingBytes = 0;
    this.scheduled = false;
    this.reading = false;
    this.flush = this.flush.bind(this);
    const reader = new FrameReader((type, stream, payload) => onFrame(this, type, stream, payload));
    socket.on('data', (chunk) => {
      this.reading = true;
      try {
        reader.push(chunk);
      } catch {
        socket.destroy(); // not a peer that speaks this protocol: nothing can be answered
      }
      this.reading = false;
      if (this.pending.length > 0) this.flush();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.open = false;
      this.pending = [];
      onClose(this);
    });
  }

  /**
   * A connection lives by its socket's events; it shows itself with its first frame.
   * @param {import('node:net').Socket} socket
   * @param {(connection: Connection, type: number, stream: number, payload: Buffer) => void} onFrame
   * @param {(connection: Connection) => void} onClose
   */
  static over(socket, onFrame, onClose) {
    return new Connection(socket, onFrame, onClose);
  }

  /** Queues a frame for this turn's write. @param {Buffer} frame */
  send(frame) {
    if (!this.open) return;
    this.pending.push(frame);
    this.pendingBytes += frame.length;
    if (this.scheduled || this.reading) return;
    this.scheduled = true;
    process.nextTick(this.flush);
  }

  /** Queues a frame and writes at once, behind what was queued before. @param {Buffer} frame */
  sendNow(frame) {
    if (!this.open) return;
    this.pending.push(frame);
    this.pendingBytes += frame.length;
    this.flush();
  }

  /** Writes what is queued; false when the peer reads slower than we write. */
  flush() {
    this.scheduled = false;
    const frames = this.pending;
    if (frames.length === 0 || !this.open) return true;
    const bytes = this.pendingBytes;
    this.pending = [];
    this.pendingBytes = 0;
    if (frames.length === 1) return this.socket.write(frames[0]);
    if (bytes <= JOIN_BYTES) return this.socket.write(Buffer.concat(frames, bytes));
    this.socket.cork();
    for (const frame of frames) this.socket.write(frame);
    this.socket.uncork();
    return !this.socket.writableNeedDrain;
  }

  /** Calls `done` when everything written is with the kernel, or the peer is gone. @param {() => void} done */
  afterWrites(done) {
    this.socket.write('', () => done());
  }

  /** Resolves when the peer has read enough that more may be written, or is gone. @returns {Promise<void>} */
  drained() {
    if (!this.open || !this.socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.socket.off('drain', done);
        this.socket.off('close', done);
        resolve();
      };
      this.socket.on('drain', done);
      this.socket.on('close', done);
    });
  }
}

exports.Connection = Connection;
