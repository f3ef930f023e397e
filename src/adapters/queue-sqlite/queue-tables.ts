import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { QueueDepth } from '../../core/ports/event-queue.ts';
import { GROUP, GroupedInserts, type NewRow } from './grouped-inserts.ts';
import { type LetterBounds, LetterRows } from './letter-rows.ts';
import type { UnpackedEvent } from './packed-events.ts';
import { TaskRows } from './task-rows.ts';
import { type KeyTurn, Turns } from './turns.ts';
import type {
  LeaseCall,
  OutgoingBytes,
  RedriveCall,
  RetryCall,
  SettleCall,
  TakeOverCall,
  WireEnd,
  WireEvent,
  WireLease,
  WireStop,
} from './wire.ts';

type Row = Record<string, unknown>;

/** Settled ids forgotten per id settled now: more than one, so that the memory shrinks to its time while work goes on. */
const FORGET_PER_SETTLE = 3;
const STOPPED = 'the task was stopped';

/** The queue's operations as reads and writes of one open transaction. Whoever calls them commits or rolls back. */
export class QueueTables {
  readonly tasks: TaskRows;
  readonly letters: LetterRows;
  private readonly db: DatabaseSync;
  private readonly rememberMs: number;
  private readonly inserts: GroupedInserts;
  private readonly sql: ReturnType<typeof prepareStatements>;
  private turns = new Turns();
  private nextSeq = 1;
  private nextEnd = 1;

  constructor(db: DatabaseSync, rememberMs: number, bounds: LetterBounds) {
    this.db = db;
    this.rememberMs = rememberMs;
    db.exec('DELETE FROM keys WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.key_id = keys.key_id)');
    this.tasks = new TaskRows(db, rememberMs);
    this.letters = new LetterRows(db, bounds);
    this.inserts = new GroupedInserts(db);
    this.sql = prepareStatements(db);
    this.reload();
  }

  /** Rebuilds what is held in memory from the tables: at the start, and after a transaction was rolled back. */
  reload(): void {
    const turns = new Turns();
    const names = this.db.prepare('SELECT key FROM keys WHERE key_id = ?');
    const turnOf = (keyId: number) => turns.ofId(keyId) ?? turns.add(keyId, String(names.get(keyId)?.['key']));
    const waiting = 'SELECT key_id, count(*) AS count, min(due_at) AS due FROM waiting GROUP BY key_id';
    for (const row of this.db.prepare(waiting).iterate()) {
      const turn = turnOf(Number(row['key_id']));
      turns.addWaiting(turn, Number(row['count']));
      turns.setNextDue(turn, Number(row['due']));
    }
    for (const row of this.db.prepare('SELECT key_id, count(*) AS count FROM leased GROUP BY key_id').iterate()) {
      turns.addLeased(turnOf(Number(row['key_id'])), Number(row['count']));
    }
    this.turns = turns;
    this.nextSeq = Number(this.db.prepare('SELECT max(seq) AS seq FROM events').get()?.['seq'] ?? 0) + 1;
    const lastEnd = Number(this.db.prepare('SELECT max(number) AS number FROM ended').get()?.['number'] ?? 0);
    this.nextEnd = Math.max(this.nextEnd, lastEnd + 1);
    this.letters.reload();
  }

  /** Accepts them, and answers the indexes of those that are duplicates. */
  enqueue(events: readonly UnpackedEvent[]): ReadonlySet<number> {
    const duplicates = new Set<number>();
    for (let first = 0; first < events.length; first += GROUP) {
      const group = events.slice(first, first + GROUP);
      if (group.length === GROUP && this.acceptGroup(group)) continue;
      for (const [index, event] of group.entries()) {
        if (!this.accept(event, event.payload, event.now)) duplicates.add(first + index);
      }
    }
    return duplicates;
  }

  /** Due events, one turn of each key after the other. */
  lease(call: LeaseCall, bytes: OutgoingBytes): WireLease[] {
    this.returnExpired(call.now);
    const skip = new Set(call.skip);
    const leases: WireLease[] = [];
    while (leases.length < call.max) {
      const room = call.max - leases.length;
      const turns = this.turns.due(call.now, room, skip);
      if (turns.length === 0) break;
      // Whole rounds for everybody; what is left over goes, one each, to those whose turn comes first.
      const share = Math.floor(room / turns.length);
      const taken = turns.map((turn) => this.take(turn, share, call, bytes));
      for (let round = 0; round < share; round++) {
        for (const rows of taken) {
          const lease = rows[round];
          if (lease !== undefined) leases.push(lease);
        }
      }
    }
    return leases;
  }

  /** Every lease there is, under a higher epoch. */
  takeOver(call: TakeOverCall, bytes: OutgoingBytes): WireLease[] {
    const expiresAt = call.now + call.leaseMs;
    return this.sql.allLeased.all().map((row) => {
      const [seq, epoch, task] = [Number(row['seq']), Number(row['epoch']) + 1, Number(row['task'])];
      this.sql.takeOver.run(epoch, expiresAt, seq);
      const stopping = task > 0 && this.tasks.isStopping(task);
      return leaseOf(row, String(row['key']), { epoch, expiresAt, stopping }, bytes);
    });
  }

  renew(id: string, epoch: number, expiresAt: number): boolean {
    const row = this.held(id, epoch);
    if (row === undefined) return false;
    this.sql.renew.run(expiresAt, Number(row['seq']));
    return true;
  }

  retry(call: RetryCall): boolean {
    const row = this.held(call.id, call.epoch);
    if (row === undefined) return false;
    const attempts = Number(row['attempts']) + (call.countAttempt ? 1 : 0);
    const task = Number(row['task']);
    if (task > 0 && call.message !== undefined) {
      const { message, durationMs } = call;
      const change = { retries: attempts, message, ...(durationMs === undefined ? {} : { durationMs }) };
      this.tasks.step(task, { status: 'Retrying', at: call.now, detail: message }, change);
    }
    this.giveBack(row, call.dueAt, attempts, call.failures);
    return true;
  }

  /** `payloads`: of `followers`, and the result. Answers the recorded end. */
  settle(call: SettleCall, payloads: readonly Uint8Array[]): WireEnd | undefined {
    const row = this.held(call.id, call.epoch);
    if (row === undefined) return undefined;
    const seq = Number(row['seq']);
    this.sql.unlease.run(seq);
    const turn = this.turns.ofId(Number(row['key_id']));
    if (turn !== undefined) this.turns.addLeased(turn, -1);
    const result = call.result === undefined ? undefined : payloads.at(-1);
    const end = this.end(seq, Number(row['task']), call, result);
    if (turn !== undefined) this.turns.forgetIfEmpty(turn);
    for (const [index, event] of call.followers.entries()) this.accept(event, payloads[index] ?? NOTHING, call.now);
    return end;
  }

  /** See TaskTable.stop. */
  stop(owner: string, taskId: string, now: number): WireStop | undefined {
    const found = this.tasks.find(owner, taskId);
    if (found === undefined) return undefined;
    const { number, seq, dueAt } = found;
    const event = seq === undefined ? undefined : this.sql.event.get(seq);
    if (seq === undefined || event === undefined) return { outcome: 'ended', eventId: '', end: undefined };
    const eventId = String(event['id']);
    const keyId = Number(event['key_id']);
    const waiting = this.sql.waitingRow.get(keyId, dueAt, seq);
    if (waiting === undefined) {
      this.tasks.step(number, { status: 'Stopping', at: now, detail: '' });
      return { outcome: 'stopping', eventId, end: undefined };
    }
    this.sql.removeWaiting.run(keyId, dueAt, seq);
    const turn = this.turns.ofId(keyId);
    if (turn !== undefined) {
      this.turns.addWaiting(turn, -1);
      this.turns.setNextDue(turn, numberOrUndefined(this.sql.firstDue.get(keyId)?.['due_at']));
    }
    const attempts = Number(waiting['attempts']);
    const end = this.end(seq, number, { id: eventId, now, state: 'Stopped', attempts, message: STOPPED }, undefined);
    if (turn !== undefined) this.turns.forgetIfEmpty(turn);
    return { outcome: 'stopped', eventId, end };
  }

  /** The holder of the lease runs its task now. */
  taskRuns(id: string, epoch: number, instanceId: string, now: number): boolean {
    const row = this.held(id, epoch);
    if (row === undefined) return false;
    const task = Number(row['task']);
    if (task === 0) return true;
    if (this.tasks.isStopping(task)) return false;
    this.tasks.step(task, { status: 'Running', at: now, detail: instanceId }, { instanceId });
    return true;
  }

  redrive(call: RedriveCall, payload: Uint8Array): boolean {
    if (!this.letters.remove(call.account, call.number)) return false;
    this.accept(call.event, payload, call.now);
    return true;
  }

  untold(limit: number): WireEnd[] {
    return this.sql.untold.all(limit).map((row) => ({
      number: Number(row['number']),
      id: String(row['id']),
      headers: String(row['headers']),
      acceptedAt: Number(row['accepted_at']),
      state: row['state'] as WireEnd['state'],
      attempts: Number(row['attempts']),
      message: String(row['message']),
      at: Number(row['at']),
    }));
  }

  told(number: number): void {
    this.sql.told.run(number);
  }

  depth(key: string | undefined): QueueDepth {
    const turn = key === undefined ? undefined : this.turns.named(key);
    if (key !== undefined && turn === undefined) return { waiting: 0, leased: 0, oldestAcceptedAt: undefined };
    const oldest = turn === undefined ? this.sql.oldest.get() : this.sql.oldestOfKey.get(turn.keyId);
    const { waiting, leased } = turn ?? this.turns;
    return { waiting, leased, oldestAcceptedAt: numberOrUndefined(oldest?.['accepted_at']) };
  }

  depths(limit: number): (QueueDepth & { readonly key: string })[] {
    return this.turns.largest(limit).map(({ key }) => ({ key, ...this.depth(key) }));
  }

  nextDue(): number | undefined {
    const expiry = numberOrUndefined(this.sql.firstExpiry.get()?.['expires_at']);
    const due = this.turns.nextDue();
    if (expiry === undefined || due === undefined) return expiry ?? due;
    return Math.min(expiry, due);
  }

  /** Everything an end is: its record, the dead letter, the task's last step, the id remembered, the event gone. */
  private end(
    seq: number,
    task: number,
    call: Omit<SettleCall, 'op' | 'epoch' | 'followers' | 'letter' | 'result' | 'delivered'> & Partial<SettleCall>,
    result: Uint8Array | undefined,
  ): WireEnd {
    const { id, now, state, attempts, message, letter, delivered } = call;
    const number = this.nextEnd++;
    const row = this.sql.record.get(number, state, attempts, message, now, seq);
    if (letter !== undefined) this.letters.add(letter, seq, now);
    if (task > 0) this.tasks.end(task, seq, { state, attempts, message, ...resultOf(call) }, result, now);
    if (delivered !== undefined) this.tasks.delivered(delivered);
    this.sql.removeEvent.run(seq);
    this.sql.markSettled.run(now, id);
    this.sql.forget.run(now - this.rememberMs, FORGET_PER_SETTLE);
    const [headers, acceptedAt] = [String(row?.['headers']), Number(row?.['accepted_at'])];
    return { number, id, headers, acceptedAt, state, attempts, message, at: now };
  }

  /** False when it is a duplicate. */
  private accept(event: WireEvent, payload: Uint8Array, now: number): boolean {
    const seq = this.nextSeq;
    if (!this.inserts.claim(event.id, seq)) {
      const reclaimed = this.sql.reclaimId.run(seq, event.id, now - this.rememberMs).changes;
      if (reclaimed === 0) return false;
    }
    this.inserts.add(this.rowOf(event, payload, now));
    return true;
  }

  /** GROUP events whose ids are all new; false, and nothing has changed, when one is not. */
  private acceptGroup(group: readonly UnpackedEvent[]): boolean {
    const ids = group.map((event) => event.id);
    if (!this.inserts.claimGroup(ids, this.nextSeq)) return false;
    this.inserts.addGroup(group.map((event) => this.rowOf(event, event.payload, event.now)));
    return true;
  }

  /** The next row of `events`, counted as waiting and with its task. */
  private rowOf(event: WireEvent, payload: Uint8Array, now: number): NewRow {
    const { id, key, dueAt, headers, task: identity } = event;
    const seq = this.nextSeq++;
    const turn = this.turns.named(key) ?? this.addKey(key);
    const task = identity === undefined ? 0 : this.tasks.add(identity, seq, dueAt, now);
    this.turns.addWaiting(turn, 1);
    this.turns.offer(turn, dueAt);
    return { seq, keyId: turn.keyId, id, now, dueAt, headers, payload, task };
  }

  private addKey(key: string): KeyTurn {
    const known = numberOrUndefined(this.sql.keyId.get(key)?.['key_id']);
    return this.turns.add(known ?? Number(this.sql.addKey.run(key).lastInsertRowid), key);
  }

  private take(turn: KeyTurn, count: number, call: LeaseCall, bytes: OutgoingBytes): WireLease[] {
    const expiresAt = call.now + call.leaseMs;
    const taken = this.sql.due.all(turn.keyId, call.now, count).map((row) => {
      const [seq, dueAt, attempts] = [Number(row['seq']), Number(row['due_at']), Number(row['attempts'])];
      const [epoch, failures, task] = [Number(row['epoch']) + 1, Number(row['failures']), Number(row['task'])];
      this.sql.removeWaiting.run(turn.keyId, dueAt, seq);
      this.sql.lease.run(seq, turn.keyId, dueAt, attempts, epoch, expiresAt, failures, task);
      const stopping = task > 0 && this.tasks.isStopping(task);
      if (task > 0) this.tasks.step(task, { status: 'Dequeued', at: call.now, detail: '' });
      return leaseOf(row, turn.key, { epoch, expiresAt, stopping }, bytes);
    });
    this.turns.addWaiting(turn, -taken.length);
    this.turns.addLeased(turn, taken.length);
    this.turns.setNextDue(turn, numberOrUndefined(this.sql.firstDue.get(turn.keyId)?.['due_at']));
    this.turns.served(turn, call.now);
    return taken;
  }

  private returnExpired(now: number): void {
    const expired = this.sql.expired.all(now);
    for (const row of expired) {
      this.giveBack(row, Number(row['due_at']), Number(row['attempts']), Number(row['failures']));
    }
  }

  private giveBack(row: Row, dueAt: number, attempts: number, failures: number): void {
    const [seq, keyId, task] = [Number(row['seq']), Number(row['key_id']), Number(row['task'])];
    this.sql.unlease.run(seq);
    // A task that is to stop does not wait for its next run: whoever leases it next ends it.
    const due = task > 0 && this.tasks.isStopping(task) ? 0 : dueAt;
    this.sql.addWaiting.run(keyId, due, seq, attempts, Number(row['epoch']), failures);
    if (task > 0) this.tasks.waits(task, due);
    const turn = this.turns.ofId(keyId);
    if (turn === undefined) throw new Error(`key ${keyId} holds a lease but is unknown`);
    this.turns.addLeased(turn, -1);
    this.turns.addWaiting(turn, 1);
    this.turns.offer(turn, due);
  }

  /** The lease of this event, if it is still the one of `epoch`. */
  private held(id: string, epoch: number): Row | undefined {
    const row = this.sql.leaseOfId.get(id);
    return row !== undefined && Number(row['epoch']) === epoch ? row : undefined;
  }
}

const NOTHING = new Uint8Array(0);

function resultOf(call: Partial<SettleCall>) {
  return call.result === undefined ? {} : { result: { payload: NOTHING, durationMs: call.result.durationMs } };
}

function leaseOf(
  row: Row,
  key: string,
  lease: Pick<WireLease, 'epoch' | 'expiresAt' | 'stopping'>,
  bytes: OutgoingBytes,
): WireLease {
  return {
    id: String(row['id']),
    key,
    headers: String(row['headers']),
    acceptedAt: Number(row['accepted_at']),
    attempts: Number(row['attempts']),
    failures: Number(row['failures']),
    ...lease,
    payload: bytes.add(row['payload']),
  };
}

function numberOrUndefined(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function prepareStatements(db: DatabaseSync) {
  return {
    keyId: db.prepare('SELECT key_id FROM keys WHERE key = ?'),
    addKey: db.prepare('INSERT INTO keys (key) VALUES (?)'),
    reclaimId: db.prepare('UPDATE ids SET seq = ?, settled_at = NULL WHERE id = ? AND settled_at <= ?'),
    addWaiting: db.prepare(
      'INSERT INTO waiting (key_id, due_at, seq, attempts, epoch, failures) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    due: db.prepare(
      `SELECT waiting.due_at, waiting.seq, waiting.attempts, waiting.epoch, waiting.failures,
              events.id, events.accepted_at, events.headers, events.payload, events.task
         FROM waiting CROSS JOIN events ON events.seq = waiting.seq
        WHERE waiting.key_id = ? AND waiting.due_at <= ? ORDER BY waiting.due_at, waiting.seq LIMIT ?`,
    ),
    firstDue: db.prepare('SELECT due_at FROM waiting WHERE key_id = ? ORDER BY due_at LIMIT 1'),
    waitingRow: db.prepare('SELECT attempts FROM waiting WHERE key_id = ? AND due_at = ? AND seq = ?'),
    removeWaiting: db.prepare('DELETE FROM waiting WHERE key_id = ? AND due_at = ? AND seq = ?'),
    lease: db.prepare(
      `INSERT INTO leased (seq, key_id, due_at, attempts, epoch, expires_at, failures, task)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    leaseOfId: db.prepare('SELECT leased.* FROM ids CROSS JOIN leased ON leased.seq = ids.seq WHERE ids.id = ?'),
    allLeased: db.prepare(
      `SELECT leased.*, events.id, events.accepted_at, events.headers, events.payload, keys.key
         FROM leased CROSS JOIN events ON events.seq = leased.seq CROSS JOIN keys ON keys.key_id = leased.key_id
        ORDER BY leased.seq`,
    ),
    takeOver: db.prepare('UPDATE leased SET epoch = ?, expires_at = ? WHERE seq = ?'),
    expired: db.prepare('SELECT * FROM leased WHERE expires_at <= ? ORDER BY expires_at'),
    firstExpiry: db.prepare('SELECT expires_at FROM leased ORDER BY expires_at LIMIT 1'),
    renew: db.prepare('UPDATE leased SET expires_at = ? WHERE seq = ?'),
    unlease: db.prepare('DELETE FROM leased WHERE seq = ?'),
    event: db.prepare('SELECT id, key_id FROM events WHERE seq = ?'),
    removeEvent: db.prepare('DELETE FROM events WHERE seq = ?'),
    record: db.prepare(
      `INSERT INTO ended (number, id, headers, accepted_at, state, attempts, message, at)
       SELECT ?, id, headers, accepted_at, ?, ?, ?, ? FROM events WHERE seq = ? RETURNING headers, accepted_at`,
    ),
    untold: db.prepare('SELECT * FROM ended ORDER BY number LIMIT ?'),
    told: db.prepare('DELETE FROM ended WHERE number <= ?'),
    markSettled: db.prepare('UPDATE ids SET seq = NULL, settled_at = ? WHERE id = ?'),
    forget: db.prepare(
      'DELETE FROM ids WHERE id IN (SELECT id FROM ids WHERE settled_at <= ? ORDER BY settled_at LIMIT ?)',
    ),
    oldest: db.prepare('SELECT accepted_at FROM events ORDER BY seq LIMIT 1'),
    oldestOfKey: db.prepare('SELECT accepted_at FROM events WHERE key_id = ? ORDER BY seq LIMIT 1'),
  } satisfies Record<string, StatementSync>;
}
