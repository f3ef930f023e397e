import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Clock } from '../../core/base/clock.ts';

/** Bytes a second that are read; a function that writes faster waits, as it would for a slow disk. */
const BYTES_PER_SECOND = 16 * 1024 * 1024;
/** What may be read at once after a quiet time. */
const BURST_BYTES = 4 * 1024 * 1024;
/** Output kept until somebody listens. */
const EARLY_BYTES = 64 * 1024;
const PAUSE_MS = 20;

/**
 * Reads what a sandbox writes to its FIFO. The sandbox holds the FIFO open for reading and writing itself: it never
 * sees a broken pipe when the reader dies, and the next reader goes on where this one stopped.
 */
export class OutputPipe {
  /** Resolves when nothing inside holds the FIFO any more and everything was read; or when closed. */
  readonly ended: Promise<void>;
  private readonly socket: Socket;
  private readonly clock: Clock;
  private readonly listeners: ((chunk: Uint8Array) => void)[] = [];
  private early: Buffer[] = [];
  private earlyBytes = 0;
  private allowance = BURST_BYTES;
  private allowanceAt: number;

  /** The FIFO must already have a writer: without one a reader sees its end at once. */
  constructor(path: string, clock: Clock) {
    this.clock = clock;
    this.allowanceAt = clock.monotonic();
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.socket = new Socket({ fd, readable: true, writable: false });
    this.ended = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('data', (chunk: Buffer) => this.take(chunk));
  }

  onOutput(listener: (chunk: Uint8Array) => void): void {
    this.listeners.push(listener);
    const early = this.early;
    this.early = [];
    this.earlyBytes = 0;
    for (const chunk of early) listener(chunk);
    this.socket.resume();
  }

  /** Nobody has asked for the output and what is kept of it is full: the end is not going to be seen. */
  get stalled(): boolean {
    return this.listeners.length === 0 && this.socket.isPaused();
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    if (this.listeners.length === 0) {
      this.early.push(chunk);
      this.earlyBytes += chunk.length;
      if (this.earlyBytes >= EARLY_BYTES) this.socket.pause();
      return;
    }
    this.throttle(chunk.length);
    for (const listener of this.listeners) listener(chunk);
  }

  private throttle(bytes: number): void {
    const now = this.clock.monotonic();
    const earned = ((now - this.allowanceAt) * BYTES_PER_SECOND) / 1000;
    this.allowance = Math.min(BURST_BYTES, this.allowance + earned) - bytes;
    this.allowanceAt = now;
    if (this.allowance >= 0) return;
    this.socket.pause();
    this.clock.after(PAUSE_MS, () => this.socket.resume());
  }
}
