import { Emitter } from '../../../src/core/base/emitter.ts';
import type { EventQueue, LeasedEvent, NewEvent } from '../../../src/core/ports/event-queue.ts';

interface Stored {
  readonly event: NewEvent;
  readonly acceptedAt: number;
  dueAt: number;
  attempts: number;
  epoch: number;
  leasedUntil: number;
}

/** EventQueue in memory, with simulated time. */
export class MemoryQueue implements EventQueue {
  readonly stored = new Map<string, Stored>();
  readonly settled = new Set<string>();
  private readonly now: () => number;
  private readonly available = new Emitter<void>();
  private turn = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  async enqueue(events: readonly NewEvent[]): Promise<readonly ('accepted' | 'duplicate')[]> {
    const results = events.map((event) => {
      if (this.stored.has(event.id) || this.settled.has(event.id)) return 'duplicate' as const;
      const { dueAt } = event;
      this.stored.set(event.id, { event, acceptedAt: this.now(), dueAt, attempts: 0, epoch: 0, leasedUntil: 0 });
      return 'accepted' as const;
    });
    this.available.emit();
    return results;
  }

  async lease(options: { max: number; leaseMs: number; now: number; skip?: ReadonlySet<string> }) {
    const { max, leaseMs, now, skip } = options;
    const perKey = new Map<string, Stored[]>();
    for (const item of this.stored.values()) {
      if (item.dueAt > now || item.leasedUntil > now || skip?.has(item.event.key) === true) continue;
      perKey.set(item.event.key, [...(perKey.get(item.event.key) ?? []), item]);
    }
    const taken: LeasedEvent[] = [];
    const keys = [...perKey.keys()];
    while (taken.length < max && keys.some((key) => (perKey.get(key)?.length ?? 0) > 0)) {
      const key = keys[this.turn++ % keys.length];
      const item = perKey.get(key ?? '')?.shift();
      if (item === undefined) continue;
      item.epoch++;
      item.leasedUntil = now + leaseMs;
      const { id, headers, payload } = item.event;
      const { acceptedAt, attempts, epoch } = item;
      taken.push({
        id,
        key: item.event.key,
        headers,
        payload,
        acceptedAt,
        attempts,
        epoch,
        expiresAt: item.leasedUntil,
      });
    }
    return taken;
  }

  async renew(event: LeasedEvent, expiresAt: number): Promise<boolean> {
    const item = this.held(event);
    if (item !== undefined) item.leasedUntil = expiresAt;
    return item !== undefined;
  }

  async retry(event: LeasedEvent, dueAt: number, countAttempt: boolean): Promise<boolean> {
    const item = this.held(event);
    if (item === undefined) return false;
    item.dueAt = dueAt;
    item.leasedUntil = 0;
    if (countAttempt) item.attempts++;
    this.available.emit();
    return true;
  }

  async settle(event: LeasedEvent): Promise<boolean> {
    if (this.held(event) === undefined) return false;
    this.stored.delete(event.id);
    this.settled.add(event.id);
    return true;
  }

  async depth() {
    return { waiting: this.stored.size, leased: 0, oldestAcceptedAt: undefined };
  }

  async nextDue(): Promise<number | undefined> {
    let due: number | undefined;
    for (const item of this.stored.values()) {
      const at = Math.max(item.dueAt, item.leasedUntil);
      if (due === undefined || at < due) due = at;
    }
    return due;
  }

  onAvailable(listener: () => void) {
    return this.available.subscribe(listener);
  }

  /** Another server takes the event over. */
  steal(id: string): void {
    const item = this.stored.get(id);
    if (item !== undefined) item.epoch++;
  }

  async close(): Promise<void> {}

  private held(event: LeasedEvent): Stored | undefined {
    const item = this.stored.get(event.id);
    return item?.epoch === event.epoch && item.leasedUntil > this.now() ? item : undefined;
  }
}
