import { LinkedList, ListNode } from './linked-list.ts';

/** One deadline of a wheel. Belongs to at most one wheel; may be set again and again without allocation. */
export class Deadline<T> extends ListNode<T> {
  /** On the wheel's time scale, milliseconds; meaningful while set. */
  at = 0;
}

/**
 * Hashed timing wheel: setting, moving and clearing a deadline is O(1), so a million of them cost nothing while they wait,
 * and a deadline per call costs no timer. Pure: the owner says what time it is (`expire`) and asks when to come back (`next`).
 * Deadlines are never reported early, and by `expire(now)` every deadline <= now has been reported.
 */
export class DeadlineWheel<T> {
  size = 0;
  private readonly granularityMs: number;
  private readonly buckets: LinkedList<T>[];
  /** Number of the earliest bucket that may hold something due. */
  private cursor: number;
  private lowerBound = Number.POSITIVE_INFINITY;

  constructor(options: { granularityMs: number; buckets: number; now: number }) {
    this.granularityMs = options.granularityMs;
    this.buckets = Array.from({ length: options.buckets }, () => new LinkedList<T>());
    this.cursor = this.tickOf(options.now);
  }

  /** Sets or moves a deadline. One that has passed already is reported by the next `expire`. */
  set(deadline: Deadline<T>, at: number): void {
    this.clear(deadline);
    deadline.at = at;
    this.bucket(Math.max(this.tickOf(at), this.cursor)).pushBack(deadline);
    this.size++;
    if (at < this.lowerBound) this.lowerBound = at;
  }

  clear(deadline: Deadline<T>): void {
    if (deadline.list === undefined) return;
    deadline.unlink();
    this.size--;
  }

  /** A time before which nothing is due; Infinity when empty. Cheap, for deciding whether a timer is early enough. */
  get earliest(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.lowerBound;
  }

  /** Reports and removes every deadline that is due, in order of buckets. `report` may set deadlines. */
  expire(now: number, report: (item: T) => void): void {
    if (now < this.lowerBound) return;
    const last = this.tickOf(now);
    const rounds = Math.min(last - this.cursor, this.buckets.length - 1);
    const first = last - rounds;
    // Moved before reporting, so that what `report` sets in the past lands in a bucket that is still ahead.
    this.cursor = last;
    const due: Deadline<T>[] = [];
    for (let tick = first; tick <= last; tick++) this.collect(tick, now, due);
    for (const deadline of due) {
      // Cleared or moved by an earlier report.
      if (deadline.list !== undefined && deadline.at <= now) {
        this.clear(deadline);
        report(deadline.item);
      }
    }
    this.lowerBound = this.scan();
  }

  private collect(tick: number, now: number, due: Deadline<T>[]): void {
    const bucket = this.bucket(tick);
    let node = bucket.firstNode as Deadline<T> | undefined;
    while (node !== undefined) {
      if (node.at <= now) due.push(node);
      node = node.next as Deadline<T> | undefined;
    }
  }

  /** The earliest deadline of the first bucket that has one in this round; a lower bound for all. */
  private scan(): number {
    if (this.size === 0) return Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.buckets.length; i++) {
      const tick = this.cursor + i;
      const end = (tick + 1) * this.granularityMs;
      let earliest = Number.POSITIVE_INFINITY;
      let node = this.bucket(tick).firstNode as Deadline<T> | undefined;
      while (node !== undefined) {
        if (node.at < end && node.at < earliest) earliest = node.at;
        node = node.next as Deadline<T> | undefined;
      }
      if (earliest < Number.POSITIVE_INFINITY) return earliest;
    }
    return (this.cursor + this.buckets.length) * this.granularityMs;
  }

  private tickOf(at: number): number {
    return Math.floor(at / this.granularityMs);
  }

  private bucket(tick: number): LinkedList<T> {
    const count = this.buckets.length;
    const bucket = this.buckets[((tick % count) + count) % count];
    if (bucket === undefined) throw new RangeError(`no bucket for tick ${tick}`);
    return bucket;
  }
}
