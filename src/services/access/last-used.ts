import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import type { MetadataStore } from '../../core/ports/metadata-store.ts';

/** `k/ID`: when the key was last used, wall-clock milliseconds. */
const PREFIX = 'k/';
const FLUSH_MS = 60_000;

interface LastUsedOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/** When each key was last used: known at once, written at most once a minute and at the end. A killed server forgets a minute. */
export class LastUsed {
  private readonly options: LastUsedOptions;
  private readonly times = new Map<string, number>();
  private readonly unwritten = new Set<string>();
  private timer: Disposable | undefined;

  /** Resolves when what was written before is known. */
  static async open(options: LastUsedOptions): Promise<LastUsed> {
    const lastUsed = new LastUsed(options);
    for (const { key, value } of await options.store.list(PREFIX)) {
      if (typeof value === 'number') lastUsed.times.set(key.slice(PREFIX.length), value);
    }
    return lastUsed;
  }

  private constructor(options: LastUsedOptions) {
    this.options = options;
  }

  note(accessKeyId: string): void {
    this.times.set(accessKeyId, this.options.clock.now());
    this.unwritten.add(accessKeyId);
    this.timer ??= this.options.clock.after(FLUSH_MS, () => {
      this.timer = undefined;
      this.flush().catch(this.options.onError);
    });
  }

  of(accessKeyId: string): number | undefined {
    return this.times.get(accessKeyId);
  }

  async forget(accessKeyId: string): Promise<void> {
    this.times.delete(accessKeyId);
    this.unwritten.delete(accessKeyId);
    await this.options.store.delete(PREFIX + accessKeyId);
  }

  async flush(): Promise<void> {
    const ids = [...this.unwritten];
    this.unwritten.clear();
    await Promise.all(
      ids.map(async (id) => {
        const at = this.times.get(id);
        if (at !== undefined) await this.options.store.put(PREFIX + id, at);
      }),
    );
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    this.timer?.dispose();
    await this.flush();
  }
}
