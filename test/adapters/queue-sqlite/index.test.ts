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
});
