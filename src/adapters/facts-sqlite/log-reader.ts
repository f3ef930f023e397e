import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Fact } from '../../core/domain/fact.ts';
import { hashRequestId } from './request-hash.ts';
import type { Segments } from './segments.ts';
import type { LogPage, LogQuery } from './wire.ts';

interface LogRow {
  readonly seq: number;
  readonly body: string;
}

type Rows = Iterator<LogRow, undefined>;

/** Every type there is: a new one that is left out here does not compile. */
const EVERY_TYPE: Readonly<Record<Fact['type'], true>> = {
  'invocation-settled': true,
  'output-written': true,
  'event-accepted': true,
  'event-ended': true,
  'exec-opened': true,
  'loop-stopped': true,
  'delivery-ended': true,
  'instance-started': true,
  'instance-gone': true,
};
const TYPES = Object.keys(EVERY_TYPE);

/**
 * Answers queries by walking an index in the order of the log, forwards or backwards, no further than the page needs: one
 * walk per type, merged, or the entries of one request.
 */
export class LogReader {
  private readonly streamId: StatementSync;
  private readonly db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.streamId = db.prepare('SELECT stream_id FROM streams WHERE name = ?');
  }

  read(query: LogQuery, segments: Segments): LogPage {
    const newest = query.after === undefined;
    const rows: LogRow[] = [];
    const stream = this.streamId.get(query.stream)?.['stream_id'];
    if (stream !== undefined && query.limit > 0) {
      const floor = query.since === undefined ? 0 : segments.firstSince(query.since) - 1;
      const after = Math.max(query.after ?? 0, floor);
      const walk = merge(this.walks(Number(stream), query, after, newest), newest);
      for (const row of walk) {
        if (!matches(row, query)) continue;
        rows.push(row);
        if (rows.length >= query.limit) break;
      }
    }
    if (newest) rows.reverse();
    const last = rows.at(-1)?.seq ?? query.after ?? segments.nextSeq - 1;
    return { bodies: rows.map((row) => row.body), last };
  }

  private walks(stream: number, query: LogQuery, after: number, newest: boolean): Rows[] {
    const order = newest ? 'ORDER BY seq DESC' : 'ORDER BY seq';
    if (query.requestId !== undefined) {
      // The unary plus keeps the planner on the request index.
      const sql = `SELECT seq, body FROM facts WHERE request_hash = ? AND +stream_id = ? AND seq > ? ${order}`;
      return [rowsOf(this.db.prepare(sql).iterate(hashRequestId(query.requestId), stream, after))];
    }
    const sql = `SELECT seq, body FROM facts WHERE stream_id = ? AND type = ? AND seq > ? ${order}`;
    // One statement per walk: each keeps its own place.
    return [...new Set(query.types ?? TYPES)].map((type) => rowsOf(this.db.prepare(sql).iterate(stream, type, after)));
  }
}

function* rowsOf(rows: Iterable<Record<string, unknown>>): Generator<LogRow, undefined> {
  for (const row of rows) yield { seq: Number(row['seq']), body: String(row['body']) };
}

/** Merges walks that are each in order into one; ends the walks when its reader stops early. */
function* merge(walks: readonly Rows[], descending: boolean): Generator<LogRow, undefined> {
  const heads = walks.map((walk) => walk.next().value);
  try {
    for (;;) {
      let best = -1;
      for (const [index, head] of heads.entries()) {
        const leader = heads[best];
        if (head === undefined) continue;
        if (leader === undefined || (descending ? head.seq > leader.seq : head.seq < leader.seq)) best = index;
      }
      const row = heads[best];
      if (row === undefined) return;
      heads[best] = walks[best]?.next().value;
      yield row;
    }
  } finally {
    for (const walk of walks) walk.return?.();
  }
}

function matches(row: LogRow, query: LogQuery): boolean {
  if (query.since === undefined && query.requestId === undefined) return true;
  const fact = JSON.parse(row.body) as Fact;
  if (query.since !== undefined && fact.at < query.since) return false;
  if (query.requestId === undefined) return true;
  if (!('requestId' in fact) || fact.requestId !== query.requestId) return false;
  return query.types === undefined || query.types.includes(fact.type);
}
