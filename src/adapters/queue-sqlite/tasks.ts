import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import type { LeasedEvent, StoredTask, TaskQuery, TaskTable } from '../../core/ports/event-queue.ts';
import { CALL_WEIGHT, type QueueWriter } from './queue-writer.ts';
import { ownerOf } from './task-rows.ts';
import { bytesAt, type SingleCall, type WireEnd, type WireStop, type WireTask } from './wire.ts';

/** The task table's calls as those of the wire. */
export class SqliteTasks implements TaskTable {
  private readonly writer: QueueWriter;
  private readonly now: () => number;
  private readonly ended: (end: WireEnd) => void;
  private readonly stops = new Emitter<string>();

  constructor(writer: QueueWriter, now: () => number, ended: (end: WireEnd) => void) {
    this.writer = writer;
    this.now = now;
    this.ended = ended;
  }

  async get(account: string, functionName: string, taskId: string): Promise<StoredTask | undefined> {
    const owner = ownerOf({ account, functionName });
    return await this.ask({ op: 'task-get', owner, taskId }, (found: WireTask | undefined, bytes) =>
      found === undefined ? undefined : storedOf(found, bytes),
    );
  }

  async list(query: TaskQuery): Promise<{ readonly items: readonly StoredTask[]; readonly next?: string }> {
    // One more than asked for tells whether there is another page.
    const wanted = { ...query, limit: query.limit + 1 };
    return await this.ask({ op: 'task-list', owner: ownerOf(query), query: wanted }, (found: WireTask[], bytes) => {
      const page = found.slice(0, query.limit);
      const items = page.map((each) => storedOf(each, bytes));
      const last = page.at(-1);
      return found.length > query.limit && last !== undefined ? { items, next: String(last.number) } : { items };
    });
  }

  async running(event: LeasedEvent, instanceId: string): Promise<boolean> {
    const { id, epoch } = event;
    return await this.ask({ op: 'task-running', id, epoch, instanceId, now: this.now() }, (done: boolean) => done);
  }

  async stop(account: string, functionName: string, taskId: string): Promise<WireStop['outcome'] | undefined> {
    const call: SingleCall = { op: 'task-stop', owner: ownerOf({ account, functionName }), taskId, now: this.now() };
    return await this.ask(call, (stop: WireStop | undefined) => {
      if (stop?.end !== undefined) this.ended(stop.end);
      if (stop?.outcome === 'stopping') this.stops.emit(stop.eventId);
      return stop?.outcome;
    });
  }

  onStop(listener: (eventId: string) => void): Disposable {
    return this.stops.subscribe(listener);
  }

  private ask<Answer, Result>(
    call: SingleCall,
    read: (answer: Answer, bytes: Uint8Array | undefined) => Result,
  ): Promise<Result> {
    return this.writer.call({ call, payloads: [] }, CALL_WEIGHT, read);
  }
}

function storedOf({ task, payload, result }: WireTask, bytes: Uint8Array | undefined): StoredTask {
  return {
    task,
    ...(payload === undefined ? {} : { payload: bytesAt(payload, bytes) }),
    ...(result === undefined ? {} : { result: bytesAt(result, bytes) }),
  };
}
