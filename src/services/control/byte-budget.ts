/** Lets work run while the bytes it holds fit into a budget; the rest waits in order of arrival. */
export class ByteBudget {
  private free: number;
  private readonly total: number;
  private readonly waiting: { readonly bytes: number; readonly start: () => void }[] = [];

  constructor(total: number) {
    this.total = total;
    this.free = total;
  }

  /** More than the whole budget counts as the whole budget. */
  async hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const share = Math.min(bytes, this.total);
    if (this.waiting.length > 0 || share > this.free) {
      await new Promise<void>((resolve) => this.waiting.push({ bytes: share, start: resolve }));
    } else {
      this.free -= share;
    }
    try {
      return await work();
    } finally {
      this.free += share;
      this.admit();
    }
  }

  private admit(): void {
    for (;;) {
      const next = this.waiting[0];
      if (next === undefined || next.bytes > this.free) return;
      this.waiting.shift();
      this.free -= next.bytes;
      next.start();
    }
  }
}
