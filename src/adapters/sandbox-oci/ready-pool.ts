/**
 * Keeps up to `depth` things ready that take a while to make, and makes the next one in the background whenever one is
 * taken. A failed refill waits for the next `take` instead of trying again by itself.
 */
export class ReadyPool<T> {
  private readonly ready: T[] = [];
  private refilling: Promise<void> | undefined;
  private closed = false;
  private readonly options: {
    readonly depth: number;
    make(): Promise<T>;
    discard(item: T): Promise<void>;
    onRefillError(error: unknown): void;
  };

  constructor(options: ReadyPool<T>['options']) {
    this.options = options;
  }

  /** A ready one at once, else a new one; rejects when making it fails. */
  async take(): Promise<T> {
    const item = this.ready.shift();
    this.refill();
    return item ?? (await this.options.make());
  }

  /** Starts filling; `take` does it by itself. */
  refill(): void {
    if (this.refilling !== undefined || this.closed) return;
    this.refilling = this.fill().finally(() => {
      this.refilling = undefined;
    });
  }

  private async fill(): Promise<void> {
    try {
      while (!this.closed && this.ready.length < this.options.depth) {
        const item = await this.options.make();
        if (this.closed) await this.options.discard(item);
        else this.ready.push(item);
      }
    } catch (error) {
      this.options.onRefillError(error);
    }
  }

  /** Gives back everything that is ready; nothing is made afterwards. */
  async close(): Promise<void> {
    this.closed = true;
    await this.refilling;
    for (const item of this.ready.splice(0)) await this.options.discard(item);
  }
}
