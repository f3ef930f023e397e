/** What became of one more descendant. `first`: the first refusal in a minute, worth an alarm. */
export type RateVerdict = 'admitted' | 'refused-first' | 'refused';

interface Root {
  /** When all that was admitted would have been earned again at the allowed rate, milliseconds. */
  paidUntil: number;
  alarmedAt: number;
}

const WINDOW_MS = 60_000;
const REMEMBERED = 16_384;

/**
 * How many invocations descend from one first request in a minute: as many at once as a minute allows, then at that rate. So
 * within any t minutes at most `perMinute × (1 + t)` are admitted. A decision is a map look-up; memory is bounded: when more
 * roots than `remembered` grow at the same time, the one that has grown least recently is forgotten.
 */
export class DescendantRate {
  private readonly roots = new Map<string, Root>();
  private readonly remembered: number;

  constructor(remembered = REMEMBERED) {
    this.remembered = remembered;
  }

  get size(): number {
    return this.roots.size;
  }

  /** Counts one descendant of `root`. `now`: monotonic milliseconds. */
  take(root: string, perMinute: number, now: number): RateVerdict {
    if (perMinute === Number.POSITIVE_INFINITY) return 'admitted';
    const known = this.roots.get(root);
    const entry = known ?? { paidUntil: now, alarmedAt: Number.NEGATIVE_INFINITY };
    const cost = WINDOW_MS / perMinute;
    const paidUntil = Math.max(entry.paidUntil, now) + cost;
    // Fractions of a millisecond add up: half a cost of tolerance never admits one more.
    if (paidUntil - now > WINDOW_MS + cost / 2) {
      if (now - entry.alarmedAt < WINDOW_MS) return 'refused';
      entry.alarmedAt = now;
      return 'refused-first';
    }
    entry.paidUntil = paidUntil;
    if (known !== undefined) this.roots.delete(root);
    this.roots.set(root, entry);
    if (known === undefined) this.forget(now);
    return 'admitted';
  }

  /** Roots that rest cost nothing to forget: two of them for each that is new. Beyond the bound the oldest goes. */
  private forget(now: number): void {
    let left = 2;
    for (const [root, entry] of this.roots) {
      if (this.roots.size <= this.remembered && (left-- === 0 || entry.paidUntil > now)) return;
      this.roots.delete(root);
    }
  }
}
