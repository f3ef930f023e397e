import { BinaryHeap } from '../../core/base/binary-heap.ts';

/** What stands in the buckets; only they write these fields. */
export interface DueItem {
  /** Undefined: in no bucket. */
  due: number | undefined;
  /** Its place in its bucket. */
  slot: number;
}

/** So many times without a bucket do no harm. */
const SPARE_TIMES = 1_024;

/**
 * Items by the time they are due: one bucket for each time, and a heap of the times. Timers fall due together, at whole
 * seconds or minutes, so there are far fewer times than items: adding, removing and taking one costs next to nothing.
 */
export class DueBuckets<T extends DueItem> {
  private readonly buckets = new Map<number, T[]>();
  /** Holds times whose bucket has been emptied as well, as long as they are few. */
  private times = newHeap();

  add(item: T, due: number): void {
    item.due = due;
    const bucket = this.buckets.get(due);
    if (bucket !== undefined) {
      item.slot = bucket.length;
      bucket.push(item);
      return;
    }
    item.slot = 0;
    this.buckets.set(due, [item]);
    if (this.times.size >= 2 * this.buckets.size + SPARE_TIMES) {
      this.times = newHeap();
      for (const time of this.buckets.keys()) this.times.push(time);
    } else this.times.push(due);
  }

  /** Does nothing when the item is in no bucket. */
  remove(item: T): void {
    const { due, slot } = item;
    const bucket = due === undefined ? undefined : this.buckets.get(due);
    item.due = undefined;
    if (due === undefined || bucket === undefined) return;
    const last = bucket.pop();
    if (last !== undefined && last !== item) {
      bucket[slot] = last;
      last.slot = slot;
    }
    if (bucket.length === 0) this.buckets.delete(due);
  }

  /** The earliest time at which anything is due; undefined when there is nothing. */
  first(): number | undefined {
    for (let due = this.times.peek(); due !== undefined; due = this.times.peek()) {
      if (this.buckets.has(due)) return due;
      this.times.pop();
    }
    return undefined;
  }

  /** Takes out all items of the earliest time. */
  takeFirst(): readonly T[] {
    const due = this.first();
    if (due === undefined) return [];
    this.times.pop();
    const bucket = this.buckets.get(due) ?? [];
    this.buckets.delete(due);
    for (const item of bucket) item.due = undefined;
    return bucket;
  }
}

function newHeap(): BinaryHeap<number> {
  return new BinaryHeap((a, b) => a < b);
}
