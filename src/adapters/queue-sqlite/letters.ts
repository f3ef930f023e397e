import type { DeadLetter } from '../../core/domain/dead-letter.ts';
import type { LetterQuery, LetterTable, NewEvent, StoredLetter } from '../../core/ports/event-queue.ts';
import { CALL_WEIGHT, type QueueWriter } from './queue-writer.ts';
import { type Bytes, bytesAt, type SingleCall, toWire } from './wire.ts';

interface WireLetter {
  readonly letter: DeadLetter;
  readonly headers: string;
  readonly payload: Bytes;
}

/** The letter table's calls as those of the wire. */
export class SqliteLetters implements LetterTable {
  private readonly writer: QueueWriter;
  private readonly now: () => number;
  private readonly accepted: (dueAt: number) => void;

  constructor(writer: QueueWriter, now: () => number, accepted: (dueAt: number) => void) {
    this.writer = writer;
    this.now = now;
    this.accepted = accepted;
  }

  async list(query: LetterQuery): Promise<readonly DeadLetter[]> {
    return await this.ask({ op: 'letter-list', query, now: this.now() }, (letters: DeadLetter[]) => letters);
  }

  async get(account: string, number: number): Promise<StoredLetter | undefined> {
    return await this.ask({ op: 'letter-get', account, number }, (found: WireLetter | undefined, bytes) => {
      if (found === undefined) return undefined;
      const { letter, headers, payload } = found;
      return { letter, headers: JSON.parse(headers) as unknown, payload: bytesAt(payload, bytes) };
    });
  }

  async remove(account: string, number: number): Promise<boolean> {
    return await this.ask({ op: 'letter-remove', account, number }, (done: boolean) => done);
  }

  async redrive(account: string, number: number, event: NewEvent): Promise<boolean> {
    const wire = toWire(event);
    const call: SingleCall = { op: 'letter-redrive', account, number, now: this.now(), event: wire };
    const weight = wire.size + wire.headers.length + CALL_WEIGHT;
    const done = await this.writer.call({ call, payloads: [event.payload] }, weight, (answer: boolean) => answer);
    if (done) this.accepted(wire.dueAt);
    return done;
  }

  async counts(): Promise<readonly { account: string; functionName: string; count: number }[]> {
    return await this.ask(
      { op: 'letter-counts' },
      (counts: { account: string; functionName: string; count: number }[]) => counts,
    );
  }

  private ask<Answer, Result>(
    call: SingleCall,
    read: (answer: Answer, bytes: Uint8Array | undefined) => Result,
  ): Promise<Result> {
    return this.writer.call({ call, payloads: [] }, CALL_WEIGHT, read);
  }
}
