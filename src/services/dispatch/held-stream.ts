/** What becomes of a streamed answer. */
export interface StreamHolder {
  /** The last piece was taken, or the reader stopped early (`finished` false). Called once. */
  streamEnded(finished: boolean): void;
  /** The source failed. Answers what the reader is told. Called once, instead of `streamEnded`. */
  streamFailed(error: unknown): unknown;
}

/**
 * A streamed answer that holds its slot until it has been read, given up, or failed. `fail` ends it from outside, e.g. when
 * the function's time is up: a reader that waits is told at once.
 */
export class HeldStream implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  private readonly source: AsyncIterator<Uint8Array>;
  private readonly holder: StreamHolder;
  private readonly limitBytes: number;
  private readonly tooLong: () => Error;
  private bytes = 0;
  private over = false;
  private failure: Error | undefined = undefined;
  private waiting: ((error: Error) => void) | undefined = undefined;

  constructor(
    source: AsyncIterable<Uint8Array>,
    holder: StreamHolder,
    options: { readonly limitBytes: number; readonly tooLong: () => Error },
  ) {
    this.source = source[Symbol.asyncIterator]();
    this.holder = holder;
    this.limitBytes = options.limitBytes;
    this.tooLong = options.tooLong;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.failure !== undefined) throw this.failure;
    if (this.over) return { done: true, value: undefined };
    let result: IteratorResult<Uint8Array>;
    try {
      result = await this.orFailure(this.source.next());
    } catch (error) {
      if (this.failure !== undefined) throw this.failure;
      this.over = true;
      throw this.holder.streamFailed(error);
    }
    if (result.done === true) {
      this.end(true);
      return { done: true, value: undefined };
    }
    this.bytes += result.value.byteLength;
    if (this.bytes > this.limitBytes) {
      const error = this.tooLong();
      this.over = true;
      this.abandon();
      throw this.holder.streamFailed(error);
    }
    return result;
  }

  /** The reader stops early. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    if (!this.over) {
      this.abandon();
      this.end(false);
    }
    return { done: true, value: undefined };
  }

  /** Ends the stream with an error; the holder knows already. */
  fail(error: Error): void {
    if (this.over) return;
    this.over = true;
    this.failure = error;
    this.waiting?.(error);
    this.abandon();
  }

  private end(finished: boolean): void {
    if (this.over) return;
    this.over = true;
    this.holder.streamEnded(finished);
  }

  private orFailure(next: Promise<IteratorResult<Uint8Array>>): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      this.waiting = reject;
      next.then(resolve, reject);
    });
  }

  private abandon(): void {
    // The source may never answer, and what it says no longer matters.
    this.source.return?.().catch(() => {});
  }
}
