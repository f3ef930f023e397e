import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { advance, newTask, type TaskChange, type TaskIdentity, type TaskRecord } from '../../core/domain/async-task.ts';
import type { TaskStep } from '../../core/domain/async-task.ts';
import type { EventEnd, TaskQuery } from '../../core/ports/event-queue.ts';
import type { OutgoingBytes, WireTask } from './wire.ts';

/** Ended tasks forgotten per task that ends: more than one, so that the memory shrinks to its time while work goes on. */
const FORGET_PER_END = 3;

type Row = Record<string, unknown>;

/** What `stop` found. */
export interface FoundTask {
  readonly number: number;
  readonly task: TaskRecord;
  /** The event as long as it has not ended. */
  readonly seq: number | undefined;
  /** Since when, or until when, it waits, if it does. */
  readonly dueAt: number;
}

/** The tasks of the queue as reads and writes of one open transaction. */
export class TaskRows {
  private readonly sql: ReturnType<typeof prepareStatements>;
  private readonly db: DatabaseSync;
  private readonly keptMs: number;

  constructor(db: DatabaseSync, keptMs: number) {
    this.db = db;
    this.keptMs = keptMs;
    this.sql = prepareStatements(db);
  }

  /** Answers the number of the task. An ended one of the same name makes way. */
  add(identity: TaskIdentity, seq: number, dueAt: number, now: number): number {
    const task = newTask(identity, now);
    const { taskId, qualifier } = identity;
    const document = JSON.stringify(task);
    const { lastInsertRowid } = this.sql.add.run(ownerOf(identity), taskId, qualifier, now, seq, dueAt, document);
    return Number(lastInsertRowid);
  }

  isStopping(number: number): boolean {
    return this.sql.status.get(number)?.['status'] === 'Stopping';
  }

  /** One more step of a task that has not ended; false when there is nothing to change. */
  step(number: number, step: TaskStep, change?: TaskChange): boolean {
    const row = this.sql.byNumber.get(number);
    if (row === undefined) return false;
    const before = taskOf(row);
    const after = advance(before, step, change);
    if (after === before) return false;
    this.sql.write.run(after.status, after.endedAt ?? null, JSON.stringify(after), number);
    return true;
  }

  /** Its event waits again. */
  waits(number: number, dueAt: number): void {
    this.sql.waits.run(dueAt, number);
  }

  /** The last step; the payload moves here from the event, which is about to be removed. */
  end(
    number: number,
    seq: number,
    end: Omit<EventEnd, 'followers'>,
    result: Uint8Array | undefined,
    now: number,
  ): void {
    const change = {
      message: end.message,
      ...(end.result === undefined ? {} : { durationMs: end.result.durationMs }),
    };
    this.step(number, { status: end.state, at: now, detail: end.message }, change);
    this.sql.keepBytes.run(seq, result ?? null, number);
    this.sql.forget.run(now - this.keptMs, FORGET_PER_END);
  }

  /** A result was delivered, or could not be. */
  delivered({ status, ...name }: NonNullable<EventEnd['delivered']>): void {
    const row = this.sql.byName.get(ownerOf(name), name.taskId);
    if (row === undefined) return;
    const task: TaskRecord = { ...taskOf(row), destinationStatus: status };
    this.sql.write.run(task.status, task.endedAt ?? null, JSON.stringify(task), Number(row['number']));
  }

  find(owner: string, taskId: string): FoundTask | undefined {
    const row = this.sql.byName.get(owner, taskId);
    if (row === undefined) return undefined;
    const seq = row['seq'] === null ? undefined : Number(row['seq']);
    return { number: Number(row['number']), task: taskOf(row), seq, dueAt: Number(row['due_at']) };
  }

  get(owner: string, taskId: string, bytes: OutgoingBytes): WireTask | undefined {
    const row = this.sql.byName.get(owner, taskId);
    if (row === undefined) return undefined;
    const result = row['result'] === null ? undefined : bytes.add(row['result']);
    return { number: Number(row['number']), task: taskOf(row), payload: bytes.add(this.payloadOf(row)), result };
  }

  list(owner: string, query: TaskQuery, bytes: OutgoingBytes): WireTask[] {
    const parts = ['owner = ?'];
    const values: (string | number)[] = [owner];
    const also = (part: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      parts.push(part);
      values.push(value);
    };
    also('status = ?', query.status);
    also('qualifier = ?', query.qualifier);
    also('started_at >= ?', query.from);
    also('started_at <= ?', query.to);
    also(
      query.order === 'asc' ? 'number > ?' : 'number < ?',
      query.after === undefined ? undefined : Number(query.after),
    );
    if (query.prefix !== undefined && query.prefix !== '') {
      parts.push('substr(task_id, 1, ?) = ?');
      values.push(query.prefix.length, query.prefix);
    }
    const sql = `SELECT number, document, seq, ${query.payload ? 'payload' : 'NULL AS payload'} FROM tasks
      WHERE ${parts.join(' AND ')} ORDER BY number ${query.order} LIMIT ?`;
    return this.db
      .prepare(sql)
      .all(...values, query.limit)
      .map((row) => ({
        number: Number(row['number']),
        task: taskOf(row),
        payload: query.payload ? bytes.add(this.payloadOf(row)) : undefined,
        result: undefined,
      }));
  }

  private payloadOf(row: Row): unknown {
    if (row['seq'] === null) return row['payload'];
    return this.sql.eventPayload.get(Number(row['seq']))?.['payload'];
  }
}

/** What a task belongs to. */
export function ownerOf(name: { readonly account: string; readonly functionName: string }): string {
  return `${name.account}/${name.functionName}`;
}

function taskOf(row: Row): TaskRecord {
  return JSON.parse(String(row['document'])) as TaskRecord;
}

function prepareStatements(db: DatabaseSync) {
  return {
    add: db.prepare(
      `INSERT OR REPLACE INTO tasks (owner, task_id, qualifier, status, started_at, seq, due_at, document)
       VALUES (?, ?, ?, 'Enqueued', ?, ?, ?, ?)`,
    ),
    status: db.prepare('SELECT status FROM tasks WHERE number = ?'),
    byNumber: db.prepare('SELECT document FROM tasks WHERE number = ?'),
    byName: db.prepare(
      'SELECT number, document, seq, due_at, payload, result FROM tasks WHERE owner = ? AND task_id = ?',
    ),
    write: db.prepare('UPDATE tasks SET status = ?, ended_at = ?, document = ? WHERE number = ?'),
    waits: db.prepare('UPDATE tasks SET due_at = ? WHERE number = ?'),
    keepBytes: db.prepare(
      'UPDATE tasks SET payload = (SELECT payload FROM events WHERE events.seq = ?), result = ?, seq = NULL WHERE number = ?',
    ),
    eventPayload: db.prepare('SELECT payload FROM events WHERE seq = ?'),
    forget: db.prepare(
      'DELETE FROM tasks WHERE number IN (SELECT number FROM tasks WHERE ended_at <= ? ORDER BY ended_at LIMIT ?)',
    ),
  } satisfies Record<string, StatementSync>;
}
