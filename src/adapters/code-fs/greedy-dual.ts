/**
 * Greedy-dual eviction with frequency and cost: what is used often, took long to make and is small stays. Each entry has a
 * priority `age + uses × cost ÷ size`; evicting the lowest raises the age to its priority, so that what is not used any
 * more falls behind in the end, however valuable it was. Pure bookkeeping.
 */
export class GreedyDual {
  private age = 0;

  /** The priority of an entry that is used now, for the `uses`-th time. `cost` in milliseconds, `bytes` at least 1. */
  priority(uses: number, cost: number, bytes: number): number {
    return this.age + (uses * Math.max(1, cost)) / Math.max(1, bytes / MIB);
  }

  /** The entry to evict: the lowest priority, of equals the one that comes first. undefined: there is none to choose from. */
  victim<T extends { readonly priority: number }>(candidates: Iterable<T>): T | undefined {
    let lowest: T | undefined;
    for (const candidate of candidates) {
      if (lowest === undefined || candidate.priority < lowest.priority) lowest = candidate;
    }
    if (lowest !== undefined) this.age = Math.max(this.age, lowest.priority);
    return lowest;
  }
}

const MIB = 1024 * 1024;
