import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import { eventQueueSuite } from '../../../src/core/ports/event-queue.suite.ts';
import { noSmallDisk, onSmallDisk } from '../full-disk.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';

const DONE = { state: 'Succeeded', attempts: 1, message: '', followers: [] } as const;

eventQueueSuite('queue-sqlite', async (test) => {
  const path = join(await temporaryFolder(test), 'queue.db');
  const time = { now: 0 };
  return {
    time,
    open: () =>
      openEventQueue({
        path,
        clock: { ...systemClock, now: () => time.now },
        rememberMs: 1000,
        letters: { perFunction: 3, keptMs: 10_000 },
      }),
    crash: (answers) => killAfterLines(new URL('./endless-enqueuer.ts', import.meta.url), [path], answers),
  };
});

describe('queue-sqlite', () => {
  it('a full disk rejects the enqueue; exactly what was accepted is there', { skip: noSmallDisk }, async (test) => {
    const dir = await temporaryFolder(test);
    const script = new URL('./fills-disk.ts', import.meta.url);
    const result = (await onSmallDisk(script, dir, '2m')) as {
      failure: string;
      accepted: number;
      depth: number;
      after: number;
    };
    assert.match(result.failure, /TidemillError.*(full|I\/O)/);
    assert.ok(result.accepted > 10);
    assert.equal(result.depth, result.accepted);
    assert.equal(result.after, result.accepted);
  });

  it('every statement of the hot path finds its rows by an index', async (test) => {
    const path = join(await temporaryFolder(test), 'queue.db');
    const queue = await openEventQueue({ path, clock: systemClock, rememberMs: 1000 });
    await queue.close();
    const db = new DatabaseSync(path);
    const plan = (sql: string) =>
      db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map((row) => String(row['detail']));
    for (const sql of [
      'SELECT due_at FROM waiting WHERE key_id = 1 ORDER BY due_at LIMIT 1',
      `SELECT events.payload FROM waiting CROSS JOIN events ON events.seq = waiting.seq
        WHERE waiting.key_id = 1 AND waiting.due_at <= 1 ORDER BY waiting.due_at, waiting.seq LIMIT 1`,
      'SELECT * FROM leased WHERE expires_at <= 1 ORDER BY expires_at',
      "SELECT leased.* FROM ids CROSS JOIN leased ON leased.seq = ids.seq WHERE ids.id = 'x'",
      'SELECT id FROM ids WHERE settled_at <= 1 ORDER BY settled_at LIMIT 3',
      'SELECT accepted_at FROM events WHERE key_id = 1 ORDER BY seq LIMIT 1',
      "SELECT document FROM tasks WHERE owner = 'x' AND task_id = 'y'",
      "SELECT number FROM tasks WHERE owner = 'x' AND number > 1 ORDER BY number LIMIT 2",
      "SELECT number FROM tasks WHERE owner = 'x' AND status = 'Running' AND number > 1 ORDER BY number LIMIT 2",
      'SELECT number FROM tasks WHERE ended_at <= 1 ORDER BY ended_at LIMIT 3',
      "SELECT number FROM letters WHERE account = 'x' AND function_name = 'y' ORDER BY number LIMIT 1",
      'SELECT number, account, function_name FROM letters WHERE at <= 1 ORDER BY at LIMIT 3',
      'SELECT attempts FROM waiting WHERE key_id = 1 AND due_at = 1 AND seq = 1',
    ]) {
      const steps = plan(sql);
      assert.ok(
        steps.every((step) => step.startsWith('SEARCH')),
        `${sql}: ${steps.join('; ')}`,
      );
    }
    db.close();
  });

  it('settled ids are forgotten as work goes on', async (test) => {
    const path = join(await temporaryFolder(test), 'queue.db');
    const time = { now: 0 };
    const queue = await openEventQueue({ path, clock: { ...systemClock, now: () => time.now }, rememberMs: 100 });
    for (let n = 0; n < 200; n++) {
      time.now += 10;
      await queue.enqueue([{ id: `e${n}`, key: 'k', dueAt: 0, headers: null, payload: new Uint8Array(1) }]);
      const [leased] = await queue.lease({ max: 1, leaseMs: 1000, now: time.now });
      assert.ok(leased !== undefined && (await queue.settle(leased, DONE)));
    }
    await queue.close();
    const db = new DatabaseSync(path);
    const { count } = db.prepare('SELECT count(*) AS count FROM ids').get() ?? {};
    db.close();
    assert.ok(Number(count) <= 11, `${String(count)} ids are remembered`);
  });

  it('SIGKILL at any moment leaves an event, or its end with all that follows from it', async (test) => {
    const path = join(await temporaryFolder(test), 'queue.db');
    const answered = await killAfterLines(new URL('./endless-settler.ts', import.meta.url), [path], 400);
    const queue = await openEventQueue({ path, clock: systemClock, rememberMs: 1e9 });
    const ends = await queue.untold(100_000);
    const ended = ends.map(({ id }) => id);
    assert.equal(new Set(ended).size, ended.length, 'no event has two ends');
    assert.deepEqual(
      answered.filter((id) => !ended.includes(id)),
      [],
    );
    const letters = (await queue.letters.list({ account: 'acc', limit: 100_000 })).map(({ requestId }) => requestId);
    await queue.takeOver({ leaseMs: 0, now: 0 });
    const left = await queue.lease({ max: 100_000, leaseMs: 1e6, now: systemClock.now() });
    const followers = left.flatMap(({ id }) => (id.startsWith('after-') ? [id.slice('after-'.length)] : []));
    const ofState = (state: string) => ends.filter((end) => end.state === state).map(({ id }) => id);
    assert.deepEqual(followers.toSorted(), ofState('Succeeded').toSorted());
    assert.deepEqual(letters.toSorted(), ofState('Failed').toSorted());
    for (const { id } of left) assert.ok(!ended.includes(id), `${id} ended and is still there`);
    await queue.close();
  });

  it('a file of the first release is brought up to date with everything in it', async (test) => {
    const path = join(await temporaryFolder(test), 'queue.db');
    const old = new DatabaseSync(path);
    old.exec(`
      PRAGMA journal_mode = WAL;
      CREATE TABLE keys (key_id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
      CREATE TABLE events (
        seq INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, id TEXT NOT NULL,
        accepted_at INTEGER NOT NULL, headers TEXT NOT NULL, payload BLOB NOT NULL
      ) STRICT;
      CREATE INDEX events_by_key ON events (key_id);
      CREATE TABLE waiting (
        key_id INTEGER NOT NULL, due_at INTEGER NOT NULL, seq INTEGER NOT NULL,
        attempts INTEGER NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (key_id, due_at, seq)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE leased (
        seq INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, due_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL, epoch INTEGER NOT NULL, expires_at INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX leased_by_expiry ON leased (expires_at);
      CREATE TABLE ids (id TEXT PRIMARY KEY, seq INTEGER, settled_at INTEGER) STRICT, WITHOUT ROWID;
      CREATE INDEX ids_by_settlement ON ids (settled_at) WHERE settled_at IS NOT NULL;
      INSERT INTO keys VALUES (1, 'acc/f');
      INSERT INTO events VALUES (1, 1, 'waits', 5, '{"a":1}', x'6869'), (2, 1, 'held', 6, '{}', x'');
      INSERT INTO waiting VALUES (1, 0, 1, 2, 3);
      INSERT INTO leased VALUES (2, 1, 0, 1, 1, 10);
      INSERT INTO ids VALUES ('waits', 1, NULL), ('held', 2, NULL), ('done', NULL, 7);
      PRAGMA user_version = 1;
    `);
    old.close();
    const queue = await openEventQueue({ path, clock: { ...systemClock, now: () => 10 }, rememberMs: 1000 });
    const event = { key: 'acc/f', dueAt: 0, headers: {}, payload: new Uint8Array(0) };
    assert.deepEqual(await queue.enqueue([{ ...event, id: 'done' }]), ['duplicate']);
    const leased = await queue.lease({ max: 9, leaseMs: 100, now: 10 });
    assert.deepEqual(
      leased.map(({ id, attempts, failures, epoch }) => [id, attempts, failures, epoch]),
      [
        ['waits', 2, 0, 4],
        ['held', 1, 0, 2],
      ],
    );
    for (const each of leased) assert.ok(await queue.settle(each, DONE));
    assert.equal((await queue.untold(9)).length, 2);
    await queue.close();
  });

  it('what one key holds, however much, does not slow another down', { timeout: 120_000 }, async (test) => {
    const path = join(await temporaryFolder(test), 'queue.db');
    const queue = await openEventQueue({ path, clock: systemClock, rememberMs: 1e6 });
    const payload = new Uint8Array(100);
    const small = { dueAt: 0, headers: {}, payload };
    let turn = 0;
    /** CPU time of this process, writer included, for events of the small key that pass while others are skipped. */
    const cost = async (skip: ReadonlySet<string>): Promise<number> => {
      const before = process.cpuUsage();
      for (let n = 0; n < 200; n++) {
        await queue.enqueue([{ ...small, id: `small-${turn++}`, key: 'acc/small' }]);
        const [leased] = await queue.lease({ max: 32, leaseMs: 1e6, now: Date.now(), skip });
        assert.equal(leased?.key, 'acc/small');
        await queue.settle(leased, DONE);
      }
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    await cost(new Set());
    const alone = Math.min(await cost(new Set()), await cost(new Set()));
    for (let batch = 0; batch < 50; batch++) {
      const events = Array.from({ length: 4_000 }, (_, n) => ({ ...small, id: `big-${batch}-${n}`, key: 'acc/big' }));
      await queue.enqueue(events);
    }
    const skip = new Set(['acc/big']);
    const beside = Math.min(await cost(skip), await cost(skip));
    assert.ok(beside <= 2.5 * alone, `${beside} µs beside 200,000 events of another key, ${alone} µs alone`);
    const both = await queue.lease({ max: 2, leaseMs: 1e6, now: Date.now() });
    assert.equal(both.length, 2);
    await queue.enqueue([{ ...small, id: 'late', key: 'acc/small' }]);
    const next = await queue.lease({ max: 2, leaseMs: 1e6, now: Date.now() });
    assert.ok(
      next.some(({ id }) => id === 'late'),
      'it does not stand behind them either',
    );
    await queue.close();
  });
});
