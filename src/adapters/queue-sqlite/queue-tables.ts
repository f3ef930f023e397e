import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { QueueDepth } from '../../core/ports/event-queue.ts';
import { type KeyTurn, Turns } from './turns.ts';
import type { EnqueueCall, QueueCall, WireEvent, WireLease } from './wire.ts';

type Row = Record<string, unknown>;
type LeaseCall = Extract<QueueCall, { op: 'lease' }>;

/** Settled ids forgotten per id settled now: more than one, so that the memory shrinks to its time while work goes on. */
const FORGET_PER_SETTLE = 3;

/** The queue's operations as reads and writes of one open transaction. Whoever calls them commits or rolls back. */
export class QueueTables {
  private readonly db: DatabaseSync;
  private readonly rememberMs: number;
  private readonly sql: ReturnType<typeof prepareStatements>;
  private turns = new Turns();
  private nextSeq = 1;

  constructor(db: DatabaseSync, rememberMs: number) {
    this.db = db;
    this.rememberMs = rememberMs;
    db.exec('DELETE FROM keys WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.key_id = keys.key_id)');
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
  }

  enqueue(call: EnqueueCall, payloads: readonly Uint8Array[]): ('accepted' | 'duplicate')[] {
    return call.events.map((event, index) => this.accept(event, payloads[index] ?? new Uint8Array(0), call.now));
  }

  /** Due events, one turn of each key after the other; `payloads` gains one entry per lease. */
  lease(call: LeaseCall, payloads: Uint8Array[]): Omit<WireLease, 'offset'>[] {
    this.returnExpired(call.now);
    const skip = new Set(call.skip);
    const leases: Omit<WireLease, 'offset'>[] = [];
    while (leases.length < call.max) {
      const room = call.max - leases.length;
      const turns = this.turns.due(call.now, room, skip);
      if (turns.length === 0) break;
      // Whole rounds for everybody; what is left over goes, one each, to those whose turn comes first.
      const share = Math.floor(room / turns.length);
      const taken = turns.map((turn) => this.take(turn, share, call));
      for (let round = 0; round < share; round++) {
        for (const rows of taken) {
          const row = rows[round];
          if (row === undefined) continue;
          leases.push(row.lease);
          payloads.push(row.payload);
        }
      }
    }
    return leases;
  }

  renew(id: string, epoch: number, expiresAt: number): boolean {
    const row = this.held(id, epoch);
    if (row === undefined) return false;
    this.sql.renew.run(expiresAt, Number(row['seq']));
    return true;
  }

  retry(id: string, epoch: number, dueAt: number, countAttempt: boolean): boolean {
    const row = this.held(id, epoch);
    if (row === undefined) return false;
    this.giveBack(row, dueAt, Number(row['attempts']) + (countAttempt ? 1 : 0));
    return true;
  }

  settle(id: string, epoch: number, now: number): boolean {
    const row = this.held(id, epoch);
    if (row === undefined) return false;
    const seq = Number(row['seq']);
    this.sql.unlease.run(seq);
    this.sql.removeEvent.run(seq);
    this.sql.markSettled.run(now, id);
    this.sql.forget.run(now - this.rememberMs, FORGET_PER_SETTLE);
    const turn = this.turns.ofId(Number(row['key_id']));
    if (turn !== undefined) {
      this.turns.addLeased(turn, -1);
      this.turns.forgetIfEmpty(turn);
    }
    return true;
  }

  depth(key: string | undefined): QueueDepth {
    const turn = key === undefined ? undefined : this.turns.named(key);
    if (key !== undefined && turn === undefined) return { waiting: 0, leased: 0, oldestAcceptedAt: undefined };
    const oldest = turn === undefined ? this.sql.oldest.get() : this.sql.oldestOfKey.get(turn.keyId);
    const { waiting, leased } = turn ?? this.turns;
    return { waiting, leased, oldestAcceptedAt: numberOrUndefined(oldest?.['accepted_at']) };
  }

  nextDue(): number | undefined {
    const expiry = numberOrUndefined(this.sql.firstExpiry.get()?.['expires_at']);
    const due = this.turns.nextDue();
    if (expiry === undefined || due === undefined) return expiry ?? due;
    return Math.min(expiry, due);
  }

  private accept(event: WireEvent, payload: Uint8Array, now: number): 'accepted' | 'duplicate' {
    const seq = this.nextSeq;
    if (this.sql.claimId.run(event.id, seq).changes === 0) {
      const reclaimed = this.sql.reclaimId.run(seq, event.id, now - this.rememberMs).changes;
      if (reclaimed === 0) return 'duplicate';
    }
    this.nextSeq++;
    const turn = this.turns.named(event.key) ?? this.addKey(event.key);
    this.sql.addEvent.run(seq, turn.keyId, event.id, now, event.headers, payload);
    this.sql.addWaiting.run(turn.keyId, event.dueAt, seq, 0, 0);
    this.turns.addWaiting(turn, 1);
    this.turns.offer(turn, event.dueAt);
    return 'accepted';
  }

  private addKey(key: string): KeyTurn {
    const known = numberOrUndefined(this.sql.keyId.get(key)?.['key_id']);
    return this.turns.add(known ?? Number(this.sql.addKey.run(key).lastInsertRowid), key);
  }

  private take(
    turn: KeyTurn,
    count: number,
    call: LeaseCall,
  ): { lease: Omit<WireLease, 'offset'>; payload: Uint8Array }[] {
    const expiresAt = call.now + call.leaseMs;
    const taken = this.sql.due.all(turn.keyId, call.now, count).map((row) => {
      const [seq, dueAt, attempts] = [Number(row['seq']), Number(row['due_at']), Number(row['attempts'])];
      const epoch = Number(row['epoch']) + 1;
      this.sql.removeWaiting.run(turn.keyId, dueAt, seq);
      this.sql.lease.run(seq, turn.keyId, dueAt, attempts, epoch, expiresAt);
      const payload = row['payload'] instanceof Uint8Array ? row['payload'] : new Uint8Array(0);
      const lease = {
        id: String(row['id']),
        key: turn.key,
        headers: String(row['headers']),
        acceptedAt: Number(row['accepted_at']),
        attempts,
        epoch,
        expiresAt,
        size: payload.byteLength,
      };
      return { lease, payload };
    });
    this.turns.addWaiting(turn, -taken.length);
    this.turns.addLeased(turn, taken.length);
    this.turns.setNextDue(turn, numberOrUndefined(this.sql.firstDue.get(turn.keyId)?.['due_at']));
    this.turns.served(turn, call.now);
    return taken;
  }

  private returnExpired(now: number): void {
    const expired = this.sql.expired.all(now);
    for (const row of expired) this.giveBack(row, Number(row['due_at']), Number(row['attempts']));
  }

  private giveBack(row: Row, dueAt: number, attempts: number): void {
    const [seq, keyId] = [Number(row['seq']), Number(row['key_id'])];
    this.sql.unlease.run(seq);
    this.sql.addWaiting.run(keyId, dueAt, seq, attempts, Number(row['epoch']));
    const turn = this.turns.ofId(keyId);
    if (turn === undefined) throw new Error(`key ${keyId} holds a lease but is unknown`);
    this.turns.addLeased(turn, -1);
    this.turns.addWaiting(turn, 1);
    this.turns.offer(turn, dueAt);
  }

  /** The lease of this event, if it is still the one of `epoch`. */
  private held(id: string, epoch: number): Row | undefined {
    const row = this.sql.leaseOfId.get(id);
    return row !== undefined && Number(row['epoch']) === epoch ? row : undefined;
  }
}

function numberOrUndefined(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : Number(value);
}

function prepareStatements(db: DatabaseSync) {
  return {
    keyId: db.prepare('SELECT key_id FROM keys WHERE key = ?'),
    addKey: db.prepare('INSERT INTO keys (key) VALUES (?)'),
    claimId: db.prepare('INSERT INTO ids (id, seq) VALUES (?, ?) ON CONFLICT DO NOTHING'),
    reclaimId: db.prepare('UPDATE ids SET seq = ?, settled_at = NULL WHERE id = ? AND settled_at <= ?'),
    addEvent: db.prepare(
      'INSERT INTO events (seq, key_id, id, accepted_at, headers, payload) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    addWaiting: db.prepare('INSERT INTO waiting (key_id, due_at, seq, attempts, epoch) VALUES (?, ?, ?, ?, ?)'),
    due: db.prepare(
      `SELECT waiting.due_at, waiting.seq, waiting.attempts, waiting.epoch,
              events.id, events.accepted_at, events.headers, events.payload
         FROM waiting CROSS JOIN events ON events.seq = waiting.seq
        WHERE waiting.key_id = ? AND waiting.due_at <= ? ORDER BY waiting.due_at, waiting.seq LIMIT ?`,
    ),
    firstDue: db.prepare('SELECT due_at FROM waiting WHERE key_id = ? ORDER BY due_at LIMIT 1'),
    removeWaiting: db.prepare('DELETE FROM waiting WHERE key_id = ? AND due_at = ? AND seq = ?'),
    lease: db.prepare(
      'INSERT INTO leased (seq, key_id, due_at, attempts, epoch, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    leaseOfId: db.prepare('SELECT leased.* FROM ids CROSS JOIN leased ON leased.seq = ids.seq WHERE ids.id = ?'),
    expired: db.prepare('SELECT * FROM leased WHERE expires_at <= ? ORDER BY expires_at'),
    firstExpiry: db.prepare('SELECT expires_at FROM leased ORDER BY expires_at LIMIT 1'),
    renew: db.prepare('UPDATE leased SET expires_at = ? WHERE seq = ?'),
    unlease: db.prepare('DELETE FROM leased WHERE seq = ?'),
    removeEvent: db.prepare('DELETE FROM events WHERE seq = ?'),
    markSettled: db.prepare('UPDATE ids SET seq = NULL, settled_at = ? WHERE id = ?'),
    forget: db.prepare(
      'DELETE FROM ids WHERE id IN (SELECT id FROM ids WHERE settled_at <= ? ORDER BY settled_at LIMIT ?)',
    ),
    oldest: db.prepare('SELECT accepted_at FROM events ORDER BY seq LIMIT 1'),
    oldestOfKey: db.prepare('SELECT accepted_at FROM events WHERE key_id = ? ORDER BY seq LIMIT 1'),
  } satisfies Record<string, StatementSync>;
}
