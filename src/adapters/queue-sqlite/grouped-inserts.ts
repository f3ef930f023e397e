import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** An event as it goes into the tables. */
export interface NewRow {
  readonly seq: number;
  readonly keyId: number;
  readonly id: string;
  readonly now: number;
  readonly dueAt: number;
  readonly headers: string;
  readonly payload: Uint8Array;
  /** The number of its task; 0: it has none. */
  readonly task: number;
}

/** Rows that go in with one statement: calling into SQLite costs as much as the row itself. */
export const GROUP = 16;

const rows = (row: string): string => Array.from({ length: GROUP }, () => row).join(', ');

/** The three inserts of accepting an event, for one and for GROUP of them. */
export class GroupedInserts {
  private readonly sql: ReturnType<typeof prepareStatements>;

  constructor(db: DatabaseSync) {
    this.sql = prepareStatements(db);
  }

  /** Takes an id for `seq` unless it is known already. */
  claim(id: string, seq: number): boolean {
    return this.sql.claim.run(id, seq).changes > 0;
  }

  /** Takes GROUP ids, the first for `firstSeq`; when one of them is known already, or there twice, none is taken. */
  claimGroup(ids: readonly string[], firstSeq: number): boolean {
    const values: (string | number)[] = [];
    for (const [index, id] of ids.entries()) values.push(id, firstSeq + index);
    if (Number(this.sql.claimGroup.run(...values).changes) === GROUP) return true;
    for (const [index, id] of ids.entries()) this.sql.unclaim.run(id, firstSeq + index);
    return false;
  }

  add(row: NewRow): void {
    const { seq, keyId, id, now, dueAt, headers, payload, task } = row;
    this.sql.addEvent.run(seq, keyId, id, now, headers, payload, task);
    this.sql.addWaiting.run(keyId, dueAt, seq);
  }

  /** GROUP rows. */
  addGroup(group: readonly NewRow[]): void {
    const events: (string | number | Uint8Array)[] = [];
    const waiting: number[] = [];
    for (const { seq, keyId, id, now, dueAt, headers, payload, task } of group) {
      events.push(seq, keyId, id, now, headers, payload, task);
      waiting.push(keyId, dueAt, seq);
    }
    this.sql.addEvents.run(...events);
    this.sql.addWaitings.run(...waiting);
  }
}

function prepareStatements(db: DatabaseSync) {
  const [ids, events] = ['ids (id, seq)', 'events (seq, key_id, id, accepted_at, headers, payload, task)'];
  const waiting = 'waiting (key_id, due_at, seq, attempts, epoch, failures)';
  return {
    claim: db.prepare(`INSERT INTO ${ids} VALUES (?, ?) ON CONFLICT DO NOTHING`),
    claimGroup: db.prepare(`INSERT INTO ${ids} VALUES ${rows('(?, ?)')} ON CONFLICT DO NOTHING`),
    unclaim: db.prepare('DELETE FROM ids WHERE id = ? AND seq = ?'),
    addEvent: db.prepare(`INSERT INTO ${events} VALUES (?, ?, ?, ?, ?, ?, ?)`),
    addEvents: db.prepare(`INSERT INTO ${events} VALUES ${rows('(?, ?, ?, ?, ?, ?, ?)')}`),
    addWaiting: db.prepare(`INSERT INTO ${waiting} VALUES (?, ?, ?, 0, 0, 0)`),
    addWaitings: db.prepare(`INSERT INTO ${waiting} VALUES ${rows('(?, ?, ?, 0, 0, 0)')}`),
  } satisfies Record<string, StatementSync>;
}
