/** A result of this much unread data makes the producer wait. */
const HIGH_WATER_BYTES = 1024 * 1024;

/**
 * The pieces of a chunked result, as one reader consumes them. `onPressure` is told when the unread amount crosses the
 * high-water mark in either direction; `onReturn` when the reader gives up early.
 */
export class ResultStream implements AsyncIterable<Uint8Array> {
  private readonly pieces: Uint8Array[] = [];
  private unread = 0;
  private full = false;
  private ended = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private readonly onPressure: (full: boolean) => void;
  private readonly onReturn: () => void;

  constructor(onPressure: (full: boolean) => void, onReturn: () => void) {
    this.onPressure = onPressure;
    this.onReturn = onReturn;
  }

  push(piece: Uint8Array): void {
    this.pieces.push(piece);
    this.unread += piece.byteLength;
    this.updatePressure();
    this.notify();
  }

  end(): void {
    this.ended = true;
    this.notify();
  }

  /** The reader gets what has arrived, then the error. */
  fail(error: Error): void {
    this.failure ??= error;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const piece = this.pieces.shift();
        if (piece !== undefined) {
          this.unread -= piece.byteLength;
          this.updatePressure();
          yield piece;
        } else if (this.failure !== undefined) throw this.failure;
        else if (this.ended) return;
        else await this.arrival();
      }
    } finally {
      if (!this.ended) this.onReturn();
    }
  }

  private arrival(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  private notify(): void {
    const wake = this.wake;
    this.wake = undefined;
    wake?.();
  }

  private updatePressure(): void {
    const full = this.unread > HIGH_WATER_BYTES;
    if (full === this.full) return;
    this.full = full;
    this.onPressure(full);
  }
}
