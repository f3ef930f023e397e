import type { NonceJournal } from '../../core/ports/nonce-journal.ts';

/**
 * Remembers which signed requests were already seen, within bounded memory. Entries are kept per second of the request's
 * own date, as 52-bit fingerprints in open-addressed tables (16 to 32 bytes each, nothing for the collector to trace).
 * When the bound is reached the oldest seconds are forgotten, and from then on requests dated that early are refused:
 * under extreme load the accepted clock skew shrinks, but a replay never passes. With a journal it begins with what earlier
 * processes let in, and leaves to the next what it lets in itself.
 */
export class NonceMemory {
  private readonly seconds = new Map<number, FingerprintTable>();
  private readonly windowSeconds: number;
  private readonly maxEntries: number;
  private readonly journal: NonceJournal | undefined;
  private entries = 0;
  /** Requests dated before this second can no longer be told from replays. */
  private floor = Number.NEGATIVE_INFINITY;

  constructor(windowSeconds: number, maxEntries: number, journal?: NonceJournal) {
    this.windowSeconds = windowSeconds;
    this.maxEntries = maxEntries;
    this.journal = journal;
    if (journal === undefined) return;
    this.floor = journal.floor;
    journal.recall((second, fingerprint) => {
      if (second >= this.floor && this.tableOf(second).add(fingerprint)) this.counted();
    });
  }

  /** `fresh`: remembered now. `seen`: a replay. `forgotten`: too old for what fits in memory. */
  remember(key: string, dateMs: number, nowMs: number): 'fresh' | 'seen' | 'forgotten' {
    const second = Math.floor(dateMs / 1000);
    if (second < this.floor) return 'forgotten';
    let table = this.seconds.get(second);
    if (table === undefined) {
      this.forgetBefore(Math.floor(nowMs / 1000) - this.windowSeconds);
      table = this.tableOf(second);
    }
    const print = fingerprint(key);
    if (!table.add(print)) return 'seen';
    this.journal?.append(second, print);
    this.counted();
    return 'fresh';
  }

  get size(): number {
    return this.entries;
  }

  private tableOf(second: number): FingerprintTable {
    let table = this.seconds.get(second);
    if (table === undefined) {
      table = new FingerprintTable();
      this.seconds.set(second, table);
    }
    return table;
  }

  private counted(): void {
    this.entries++;
    if (this.entries > this.maxEntries) this.forgetOldest();
  }

  private forgetBefore(second: number): void {
    for (const [kept, table] of this.seconds) {
      if (kept >= second) continue;
      this.seconds.delete(kept);
      this.entries -= table.size;
    }
    this.floor = Math.max(this.floor, second);
  }

  private forgetOldest(): void {
    let oldest = Number.POSITIVE_INFINITY;
    for (const second of this.seconds.keys()) oldest = Math.min(oldest, second);
    this.forgetBefore(oldest + 1);
    this.journal?.raiseFloor(oldest + 1);
  }
}

class FingerprintTable {
  private slots = new Float64Array(16);
  size = 0;

  /** False when it was there already. Fingerprints are never 0. */
  add(value: number): boolean {
    if (!insert(this.slots, value)) return false;
    this.size++;
    if (this.size * 2 > this.slots.length) {
      const larger = new Float64Array(this.slots.length * 2);
      for (const kept of this.slots) if (kept !== 0) insert(larger, kept);
      this.slots = larger;
    }
    return true;
  }
}

function insert(slots: Float64Array, value: number): boolean {
  const mask = slots.length - 1;
  for (let at = (value % 0x7fffffff) & mask; ; at = (at + 1) & mask) {
    const kept = slots[at];
    if (kept === value) return false;
    if (kept === 0) {
      slots[at] = value;
      return true;
    }
  }
}

/** 52 bits of two FNV-like hashes. Only verified callers get here, so accidents matter and attacks do not. */
function fingerprint(key: string): number {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13);
  }
  return (a >>> 0) * 0x100000 + ((b >>> 0) & 0xfffff) + 1;
}
