import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DeadLetter, LetterCause } from '../../core/domain/dead-letter.ts';
import type { LetterQuery } from '../../core/ports/event-queue.ts';
import type { Bytes, OutgoingBytes } from './wire.ts';

/** Letters that are too old and go per letter that comes. */
const FORGET_PER_LETTER = 3;

/** How many dead letters are kept, and for how long. */
export interface LetterBounds {
  readonly perFunction: number;
  readonly keptMs: number;
}

interface Count {
  readonly account: string;
  readonly functionName: string;
  count: number;
}

/** The dead letters of the queue as reads and writes of one open transaction. */
export class LetterRows {
  private readonly db: DatabaseSync;
  private readonly bounds: LetterBounds;
  private readonly sql: ReturnType<typeof prepareStatements>;
  private counted = new Map<string, Count>();

  constructor(db: DatabaseSync, bounds: LetterBounds) {
    this.db = db;
    this.bounds = bounds;
    this.sql = prepareStatements(db);
  }

  /** Counts anew what is there. */
  reload(): void {
    this.counted = new Map();
    const rows = this.db.prepare(
      'SELECT account, function_name, count(*) AS count FROM letters GROUP BY account, function_name',
    );
    for (const row of rows.iterate()) {
      this.countOf(String(row['account']), String(row['function_name'])).count = Number(row['count']);
    }
  }

  /** Keeps the event `seq` of the queue; the oldest letter of its function makes way when there are too many. */
  add(cause: LetterCause, seq: number, now: number): void {
    const { account, functionName } = cause;
    this.sql.add.run(account, functionName, cause.state, now, JSON.stringify(cause), seq);
    const counted = this.countOf(account, functionName);
    counted.count++;
    if (counted.count > this.bounds.perFunction) {
      const { changes } = this.sql.removeOldest.run(account, functionName, counted.count - this.bounds.perFunction);
      counted.count -= Number(changes);
    }
    for (const row of this.sql.tooOld.all(now - this.bounds.keptMs, FORGET_PER_LETTER)) this.take(row);
  }

  list(query: LetterQuery, now: number): DeadLetter[] {
    const parts = ['account = ?', 'at > ?'];
    const values: (string | number)[] = [query.account, now - this.bounds.keptMs];
    const also = (part: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      parts.push(part);
      values.push(value);
    };
    also('function_name = ?', query.functionName);
    also('state = ?', query.state);
    also('at >= ?', query.since);
    also('at <= ?', query.until);
    also('number < ?', query.before);
    if (query.text !== undefined && query.text !== '') {
      const text = query.text.toLowerCase();
      parts.push('(instr(lower(cause), ?) > 0 OR instr(lower(headers), ?) > 0)');
      values.push(text, text);
    }
    const columns = 'number, at, accepted_at, cause, length(payload) AS bytes';
    const sql = `SELECT ${columns} FROM letters WHERE ${parts.join(' AND ')} ORDER BY number DESC LIMIT ?`;
    return this.db
      .prepare(sql)
      .all(...values, query.limit)
      .map(letterOf);
  }

  get(
    account: string,
    number: number,
    bytes: OutgoingBytes,
  ): { readonly letter: DeadLetter; readonly headers: string; readonly payload: Bytes } | undefined {
    const row = this.sql.get.get(account, number);
    if (row === undefined) return undefined;
    return { letter: letterOf(row), headers: String(row['headers']), payload: bytes.add(row['payload']) };
  }

  remove(account: string, number: number): boolean {
    const row = this.sql.get.get(account, number);
    if (row !== undefined) this.take(row);
    return row !== undefined;
  }

  counts(): Count[] {
    return [...this.counted.values()].filter(({ count }) => count > 0);
  }

  private take(row: Record<string, unknown>): void {
    this.sql.remove.run(Number(row['number']));
    this.countOf(String(row['account']), String(row['function_name'])).count--;
  }

  private countOf(account: string, functionName: string): Count {
    const key = `${account}/${functionName}`;
    let count = this.counted.get(key);
    if (count === undefined) {
      count = { account, functionName, count: 0 };
      this.counted.set(key, count);
    }
    return count;
  }
}

function letterOf(row: Record<string, unknown>): DeadLetter {
  const cause = JSON.parse(String(row['cause'])) as LetterCause;
  return {
    ...cause,
    number: Number(row['number']),
    at: Number(row['at']),
    acceptedAt: Number(row['accepted_at']),
    payloadBytes: Number(row['bytes']),
  };
}

function prepareStatements(db: DatabaseSync) {
  return {
    add: db.prepare(
      `INSERT INTO letters (account, function_name, state, at, accepted_at, cause, headers, payload)
       SELECT ?, ?, ?, ?, accepted_at, ?, headers, payload FROM events WHERE seq = ?`,
    ),
    removeOldest: db.prepare(
      `DELETE FROM letters WHERE number IN
        (SELECT number FROM letters WHERE account = ? AND function_name = ? ORDER BY number LIMIT ?)`,
    ),
    tooOld: db.prepare('SELECT number, account, function_name FROM letters WHERE at <= ? ORDER BY at LIMIT ?'),
    get: db.prepare('SELECT *, length(payload) AS bytes FROM letters WHERE account = ? AND number = ?'),
    remove: db.prepare('DELETE FROM letters WHERE number = ?'),
  } satisfies Record<string, StatementSync>;
}
