import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type {
  EndRecord,
  EventEnd,
  EventQueue,
  LeasedEvent,
  NewEvent,
  QueueDepth,
  RetryPlan,
} from '../../core/ports/event-queue.ts';
import { SqliteLetters } from './letters.ts';
import { CALL_WEIGHT, type Outgoing, type QueueWriter } from './queue-writer.ts';
import { SqliteTasks } from './tasks.ts';
import {
  ALL_ACCEPTED,
  bytesAt,
  type EnqueueAnswer,
  toWire,
  type WireEnd,
  type WireEvent,
  type WireLease,
  wholeTime,
} from './wire.ts';

const NO_BYTES: readonly Uint8Array[] = [];
const ONE_ACCEPTED = ['accepted'] as const;

type Outcome = 'accepted' | 'duplicate';

/** The port's calls as those of the wire. */
export class SqliteEventQueue implements EventQueue {
  readonly tasks: SqliteTasks;
  readonly letters: SqliteLetters;
  private readonly writer: QueueWriter;
  private readonly clock: Clock;
  private readonly available = new Emitter<number>();
  private readonly ends = new Emitter<EndRecord>();

  constructor(writer: QueueWriter, clock: Clock) {
    this.writer = writer;
    this.clock = clock;
    const now = (): number => this.now();
    this.tasks = new SqliteTasks(writer, now, (end) => this.ended(end));
    this.letters = new SqliteLetters(writer, now, (dueAt) => this.available.emit(dueAt));
  }

  enqueue(events: readonly NewEvent[]): Promise<readonly Outcome[]> {
    if (events.length === 0) return Promise.resolve([]);
    let wire: readonly WireEvent[];
    try {
      wire = events.map(toWire);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    const outgoing: Outgoing = {
      call: { op: 'enqueue', now: this.now(), events: wire },
      payloads: events.map((event) => event.payload),
    };
    return this.writer.call(outgoing, weightOf(wire), (answer: EnqueueAnswer) => this.outcomes(wire, answer));
  }

  async lease(options: {
    max: number;
    leaseMs: number;
    now: number;
    skip?: ReadonlySet<string>;
  }): Promise<readonly LeasedEvent[]> {
    if (options.max <= 0) return [];
    return await this.leases({
      op: 'lease',
      max: Math.floor(options.max),
      leaseMs: Math.ceil(options.leaseMs),
      now: Math.floor(options.now),
      skip: [...(options.skip ?? [])],
    });
  }

  takeOver({ leaseMs, now }: { leaseMs: number; now: number }): Promise<readonly LeasedEvent[]> {
    return this.leases({ op: 'take-over', leaseMs: Math.ceil(leaseMs), now: Math.floor(now) });
  }

  async renew(event: LeasedEvent, expiresAt: number): Promise<boolean> {
    return await this.ask({ op: 'renew', id: event.id, epoch: event.epoch, expiresAt: wholeTime(expiresAt) });
  }

  async retry(event: LeasedEvent, plan: RetryPlan): Promise<boolean> {
    const { id, epoch } = event;
    const dueAt = wholeTime(plan.dueAt);
    const done = await this.ask<boolean>({ ...plan, op: 'retry', id, epoch, dueAt, now: this.now() });
    // A task that is to stop does not wait until then.
    if (done) this.available.emit(0);
    return done;
  }

  async settle(event: LeasedEvent, end: EventEnd): Promise<boolean> {
    const { state, attempts, message, letter, delivered, result } = end;
    const followers = end.followers.map(toWire);
    const call: Outgoing['call'] = {
      op: 'settle',
      id: event.id,
      epoch: event.epoch,
      now: this.now(),
      state,
      attempts,
      message,
      followers,
      letter,
      delivered,
      result:
        result === undefined
          ? undefined
          : { size: result.payload.byteLength, durationMs: Math.round(result.durationMs) },
    };
    const payloads = end.followers.map((each) => each.payload);
    if (result !== undefined) payloads.push(result.payload);
    const weight = weightOf(followers) + (result?.payload.byteLength ?? 0) + CALL_WEIGHT;
    const done = await this.writer.call({ call, payloads }, weight, (answer: WireEnd | undefined) => {
      if (answer !== undefined) this.ended(answer);
      return answer !== undefined;
    });
    if (done && followers.length > 0) this.available.emit(earliest(followers));
    return done;
  }

  onEnd(listener: (end: EndRecord) => void): Disposable {
    return this.ends.subscribe(listener);
  }

  async untold(limit: number): Promise<readonly EndRecord[]> {
    return (await this.ask<WireEnd[]>({ op: 'untold', limit })).map(recordOf);
  }

  async told(number: number): Promise<void> {
    await this.ask({ op: 'told', number });
  }

  async depth(key?: string): Promise<QueueDepth> {
    return await this.ask({ op: 'depth', key });
  }

  async depths(limit: number): Promise<readonly (QueueDepth & { readonly key: string })[]> {
    return await this.ask({ op: 'depths', limit });
  }

  async nextDue(): Promise<number | undefined> {
    return await this.ask({ op: 'next-due' });
  }

  onAvailable(listener: (dueAt: number) => void): Disposable {
    return this.available.subscribe(listener);
  }

  async close(): Promise<void> {
    await this.writer.close();
  }

  private outcomes(wire: readonly WireEvent[], answer: EnqueueAnswer): readonly Outcome[] {
    if (answer === ALL_ACCEPTED) {
      this.available.emit(earliest(wire));
      return wire.length === 1 ? ONE_ACCEPTED : wire.map(() => 'accepted');
    }
    const accepted = wire.filter((_, index) => answer[index] === 'accepted');
    if (accepted.length > 0) this.available.emit(earliest(accepted));
    return answer;
  }

  private ended(end: WireEnd): void {
    this.ends.emit(recordOf(end));
  }

  private ask<Answer>(call: Outgoing['call']): Promise<Answer> {
    return this.writer.call({ call, payloads: NO_BYTES }, CALL_WEIGHT, (answer: Answer) => answer);
  }

  private leases(call: Outgoing['call']): Promise<readonly LeasedEvent[]> {
    return this.writer.call({ call, payloads: NO_BYTES }, CALL_WEIGHT, (leases: WireLease[], bytes) =>
      leases.map((lease) => fromWire(lease, bytes)),
    );
  }

  private now(): number {
    return Math.floor(this.clock.now());
  }
}

function earliest(events: readonly WireEvent[]): number {
  return events.reduce((least, { dueAt }) => Math.min(least, dueAt), Number.POSITIVE_INFINITY);
}

function weightOf(events: readonly WireEvent[]): number {
  return events.reduce((sum, event) => sum + event.size + event.headers.length + CALL_WEIGHT, 0);
}

function fromWire(lease: WireLease, bytes: Uint8Array | undefined): LeasedEvent {
  const { payload: at, headers, ...rest } = lease;
  return { ...rest, headers: JSON.parse(headers), payload: bytesAt(at, bytes) };
}

function recordOf(end: WireEnd): EndRecord {
  return { ...end, headers: JSON.parse(end.headers) };
}
