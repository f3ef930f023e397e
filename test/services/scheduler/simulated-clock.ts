import type { Clock } from '../../../src/core/base/clock.ts';
import { type Disposable, toDisposable } from '../../../src/core/base/disposable.ts';
import type { Random } from '../../../src/core/base/random.ts';

const EPOCH_MS = Date.UTC(2026, 0, 1);

/** Lets everything that is ready to run, run: promise reactions and what they lead to. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Time that passes only by `advance`. */
export class SimulatedClock implements Clock {
  private time = 1_000;
  private readonly timers = new Set<{ readonly at: number; readonly action: () => void }>();

  now(): number {
    return EPOCH_MS + Math.floor(this.time);
  }

  monotonic(): number {
    return this.time;
  }

  after(delayMs: number, action: () => void): Disposable {
    const timer = { at: this.time + delayMs, action };
    this.timers.add(timer);
    return toDisposable(() => this.timers.delete(timer));
  }

  get pending(): number {
    return this.timers.size;
  }

  async advance(ms: number): Promise<void> {
    const until = this.time + ms;
    await settle();
    for (;;) {
      let next: { at: number; action: () => void } | undefined;
      for (const timer of this.timers)
        if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer;
      if (next === undefined) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.action();
      await settle();
    }
    this.time = until;
  }
}

/** The same numbers every time. */
export class SeededRandom implements Random {
  private state = 42;

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.float() * 256));
  }

  float(): number {
    this.state = (this.state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return this.state / 2_147_483_648;
  }
}
