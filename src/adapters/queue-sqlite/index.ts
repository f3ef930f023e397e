import { BatchThread } from '../../core/base/batch-thread.ts';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { EventQueue, LeasedEvent, NewEvent, QueueDepth } from '../../core/ports/event-queue.ts';
import { startThread } from '../sqlite/node-thread.ts';
import { joinBytes, type QueueCall, type WireEvent, type WireLease } from './wire.ts';

export interface EventQueueOptions {
  /** The database file; `-wal` and `-shm` files stand beside it. One queue at a time may have it open. */
  readonly path: string;
  /** Gives the time of acceptance and settlement. */
  readonly clock: Clock;
  /** How long a settled event's id still answers `duplicate`, milliseconds. */
  readonly rememberMs: number;
}

/** A call with the payloads that travel beside it. */
interface Outgoing {
  readonly call: QueueCall;
  readonly payloads: readonly Uint8Array[];
}

/**
 * The event queue on SQLite: one thread owns the file and commits whatever is waiting in one synced transaction. Payloads
 * given to `enqueue` must not be changed until it resolves. Rejects with InternalServerError when the file cannot be opened.
 */
export async function openEventQueue(options: EventQueueOptions): Promise<EventQueue> {
  const { path, clock, rememberMs } = options;
  const writer = await BatchThread.start<Outgoing>({
    thread: startThread(import.meta.url, 'writer-worker', { path, rememberMs }),
    defer: setImmediate,
    encode: (outgoing) => {
      const payloads = outgoing.flatMap((each) => each.payloads);
      const calls = outgoing.map((each) => each.call);
      return payloads.length === 0 ? { calls } : { calls, bytes: joinBytes(payloads) };
    },
    failure: (message) => new TidemillError('InternalServerError', `the event queue ${path} failed: ${message}`),
    maxCalls: 2000,
    maxWeight: 8 * 1024 * 1024,
  });
  return new SqliteEventQueue(writer, clock);
}

const CALL_WEIGHT = 64;

class SqliteEventQueue implements EventQueue {
  private readonly writer: BatchThread<Outgoing>;
  private readonly clock: Clock;
  private readonly available = new Emitter<void>();

  constructor(writer: BatchThread<Outgoing>, clock: Clock) {
    this.writer = writer;
    this.clock = clock;
  }

  async enqueue(events: readonly NewEvent[]): Promise<readonly ('accepted' | 'duplicate')[]> {
    if (events.length === 0) return [];
    const wire = events.map(toWire);
    const weight = wire.reduce((sum, event) => sum + event.size + event.headers.length + CALL_WEIGHT, 0);
    const outgoing: Outgoing = {
      call: { op: 'enqueue', now: this.now(), events: wire },
      payloads: events.map((event) => event.payload),
    };
    const outcomes = await this.writer.call(outgoing, weight, (answer: ('accepted' | 'duplicate')[]) => answer);
    if (outcomes.includes('accepted')) this.available.emit();
    return outcomes;
  }

  async lease(options: {
    max: number;
    leaseMs: number;
    now: number;
    skip?: ReadonlySet<string>;
  }): Promise<readonly LeasedEvent[]> {
    if (options.max <= 0) return [];
    const call: QueueCall = {
      op: 'lease',
      max: Math.floor(options.max),
      leaseMs: Math.ceil(options.leaseMs),
      now: Math.floor(options.now),
      skip: [...(options.skip ?? [])],
    };
    return await this.writer.call({ call, payloads: [] }, CALL_WEIGHT, (leases: WireLease[], bytes) =>
      leases.map((lease) => fromWire(lease, bytes)),
    );
  }

  async renew(event: LeasedEvent, expiresAt: number): Promise<boolean> {
    return await this.change({ op: 'renew', id: event.id, epoch: event.epoch, expiresAt: wholeTime(expiresAt) });
  }

  async retry(event: LeasedEvent, dueAt: number, countAttempt: boolean): Promise<boolean> {
    const { id, epoch } = event;
    const done = await this.change({ op: 'retry', id, epoch, dueAt: wholeTime(dueAt), countAttempt });
    if (done) this.available.emit();
    return done;
  }

  async settle(event: LeasedEvent): Promise<boolean> {
    return await this.change({ op: 'settle', id: event.id, epoch: event.epoch, now: this.now() });
  }

  async depth(key?: string): Promise<QueueDepth> {
    const call: QueueCall = { op: 'depth', key };
    return await this.writer.call({ call, payloads: [] }, CALL_WEIGHT, (depth: QueueDepth) => depth);
  }

  async nextDue(): Promise<number | undefined> {
    const call: QueueCall = { op: 'next-due' };
    return await this.writer.call({ call, payloads: [] }, CALL_WEIGHT, (due: number | undefined) => due);
  }

  onAvailable(listener: () => void): Disposable {
    return this.available.subscribe(listener);
  }

  async close(): Promise<void> {
    await this.writer.close();
  }

  private change(call: QueueCall): Promise<boolean> {
    return this.writer.call({ call, payloads: [] }, CALL_WEIGHT, (done: boolean) => done);
  }

  private now(): number {
    return Math.floor(this.clock.now());
  }
}

/** Never earlier than asked for; a time that is no number would poison the whole batch, so it is refused here. */
function wholeTime(at: number): number {
  const whole = Math.ceil(at);
  if (!Number.isSafeInteger(whole)) throw new TypeError(`${at} is not a time in milliseconds`);
  return whole;
}

function toWire(event: NewEvent): WireEvent {
  const headers = JSON.stringify(event.headers);
  if (headers === undefined) throw new TypeError(`the headers of event ${event.id} are not JSON data`);
  return {
    id: event.id,
    key: event.key,
    dueAt: wholeTime(event.dueAt),
    headers,
    size: event.payload.byteLength,
  };
}

function fromWire(lease: WireLease, bytes: Uint8Array | undefined): LeasedEvent {
  const { offset, size, headers, ...rest } = lease;
  const payload = bytes?.slice(offset, offset + size) ?? new Uint8Array(0);
  return { ...rest, headers: JSON.parse(headers), payload };
}
