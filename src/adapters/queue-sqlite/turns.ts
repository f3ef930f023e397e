import { BinaryHeap } from '../../core/base/binary-heap.ts';

/** What the queue knows of one fairness key that has unsettled events. */
export interface KeyTurn {
  readonly keyId: number;
  readonly key: string;
  /** Earliest due time of its waiting events; undefined when none waits. */
  nextDue: number | undefined;
  waiting: number;
  leased: number;
}

/** So many outdated reminders do no harm: a small queue is not tidied all the time. */
const SPARE_REMINDERS = 1_024;

function newHeap(): BinaryHeap<{ readonly due: number; readonly turn: KeyTurn }> {
  return new BinaryHeap((a, b) => a.due < b.due);
}

/**
 * Whose turn it is. Keys with something due stand in a ring and are served from its front, then go to its back; keys whose
 * events lie in the future stand in a heap until then. Both are views of the database and rebuilt from it.
 */
export class Turns {
  private readonly byName = new Map<string, KeyTurn>();
  private readonly byId = new Map<number, KeyTurn>();
  private readonly ring = new Set<KeyTurn>();
  /**
   * Entries are not removed when a key's due time changes: one that no longer matches is passed over. When most of them no
   * longer do, the heap is made anew, so that it grows with the keys and not with what was ever due.
   */
  private later = newHeap();
  waiting = 0;
  leased = 0;

  add(keyId: number, key: string): KeyTurn {
    const turn: KeyTurn = { keyId, key, nextDue: undefined, waiting: 0, leased: 0 };
    this.byName.set(key, turn);
    this.byId.set(keyId, turn);
    return turn;
  }

  named(key: string): KeyTurn | undefined {
    return this.byName.get(key);
  }

  ofId(keyId: number): KeyTurn | undefined {
    return this.byId.get(keyId);
  }

  /** `count` events of the key now wait (negative: no longer). */
  addWaiting(turn: KeyTurn, count: number): void {
    turn.waiting += count;
    this.waiting += count;
  }

  addLeased(turn: KeyTurn, count: number): void {
    turn.leased += count;
    this.leased += count;
  }

  /** An event of the key became available at `due`. */
  offer(turn: KeyTurn, due: number): void {
    if (turn.nextDue === undefined || due < turn.nextDue) this.setNextDue(turn, due);
  }

  /** Says what the earliest waiting event is now; a key in the ring keeps its place unless nothing waits any more. */
  setNextDue(turn: KeyTurn, due: number | undefined): void {
    turn.nextDue = due;
    if (due === undefined) this.ring.delete(turn);
    else if (!this.ring.has(turn)) this.remind(due, turn);
  }

  /** The first `max` keys with something due at `now` that are not in `skip`, in the order of their turns. */
  due(now: number, max: number, skip: ReadonlySet<string>): KeyTurn[] {
    for (let top = this.later.peek(); top !== undefined && top.due <= now; top = this.later.peek()) {
      this.later.pop();
      if (top.turn.nextDue === top.due) this.ring.add(top.turn);
    }
    const turns: KeyTurn[] = [];
    for (const turn of this.ring) {
      if (turns.length >= max) break;
      if (!skip.has(turn.key)) turns.push(turn);
    }
    return turns;
  }

  /** The key has been served: its next turn comes after all others that are due. */
  served(turn: KeyTurn, now: number): void {
    this.ring.delete(turn);
    if (turn.nextDue === undefined) return;
    if (turn.nextDue <= now) this.ring.add(turn);
    else this.remind(turn.nextDue, turn);
  }

  /** Drops what is known of a key that has no unsettled events. */
  forgetIfEmpty(turn: KeyTurn): void {
    if (turn.waiting > 0 || turn.leased > 0) return;
    this.ring.delete(turn);
    this.byName.delete(turn.key);
    this.byId.delete(turn.keyId);
  }

  /** The `max` keys that hold most. */
  largest(max: number): KeyTurn[] {
    const holds = (turn: KeyTurn) => turn.waiting + turn.leased;
    const kept = new BinaryHeap<KeyTurn>((a, b) => holds(a) < holds(b));
    for (const turn of this.byId.values()) {
      const least = kept.size < max ? undefined : kept.peek();
      if (least !== undefined && holds(least) >= holds(turn)) continue;
      if (least !== undefined) kept.pop();
      kept.push(turn);
    }
    const turns: KeyTurn[] = [];
    for (let turn = kept.pop(); turn !== undefined; turn = kept.pop()) turns.push(turn);
    return turns.reverse();
  }

  /** How many reminders are kept, outdated ones included. */
  get reminders(): number {
    return this.later.size;
  }

  private remind(due: number, turn: KeyTurn): void {
    if (this.later.size >= 2 * this.byId.size + SPARE_REMINDERS) {
      this.later = newHeap();
      for (const other of this.byId.values()) {
        const wanted = other === turn || this.ring.has(other) ? undefined : other.nextDue;
        if (wanted !== undefined) this.later.push({ due: wanted, turn: other });
      }
    }
    this.later.push({ due, turn });
  }

  /** Earliest due time of all waiting events, or a time that has passed already when a key is due. */
  nextDue(): number | undefined {
    let earliest: number | undefined;
    for (const turn of this.ring) {
      earliest = turn.nextDue;
      break;
    }
    for (let top = this.later.peek(); top !== undefined; top = this.later.peek()) {
      if (top.turn.nextDue === top.due && !this.ring.has(top.turn)) {
        return earliest === undefined ? top.due : Math.min(earliest, top.due);
      }
      this.later.pop();
    }
    return earliest;
  }
}
