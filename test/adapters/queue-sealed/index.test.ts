import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import { sealQueue } from '../../../src/adapters/queue-sealed/index.ts';
import type { NewEvent } from '../../../src/core/ports/event-queue.ts';
import { eventQueueSuite } from '../../../src/core/ports/event-queue.suite.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { temporaryVault } from '../temporary-vault.ts';

const SECRET = 'nobody-may-read-this';
const KEY = '1234567890123456/f';

eventQueueSuite('queue-sealed over queue-sqlite', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'queue.db');
  const vault = await temporaryVault(context, folder);
  const time = { now: 0 };
  return {
    time,
    open: async () => {
      const clock = { ...systemClock, now: () => time.now };
      const letters = { perFunction: 3, keptMs: 10_000 };
      return sealQueue(await openEventQueue({ path, clock, rememberMs: 1000, letters }), vault);
    },
    crash: (answers) => killAfterLines(new URL('./endless-enqueuer.ts', import.meta.url), [path, folder], answers),
  };
});

test('no byte of payload, result, dead letter or HTTP head is on disk in the clear', async (context) => {
  const folder = await temporaryFolder(context);
  const vault = await temporaryVault(context, folder);
  const path = join(await temporaryFolder(context), 'queue.db');
  const queue = sealQueue(await openEventQueue({ path, clock: systemClock, rememberMs: 60_000 }), vault);
  const task = { account: '1234567890123456', functionName: 'f', qualifier: 'LATEST', taskId: 't', requestId: 'r' };
  const headers = { requestId: 'r', http: { method: 'GET', headers: { authorization: `Bearer ${SECRET}` } } };
  const event: NewEvent = { id: 'a', key: KEY, dueAt: 0, headers, payload: Buffer.from(SECRET), task };
  await queue.enqueue([event, { ...event, id: 'b', task: { ...task, taskId: 'u' } }]);
  const [first, second] = await queue.lease({ max: 2, leaseMs: 60_000, now: Date.now() });
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual([Buffer.from(first.payload).toString(), first.headers], [SECRET, headers]);
  const result = { payload: Buffer.from(`result ${SECRET}`), durationMs: 1 };
  const follower: NewEvent = { id: 'c', key: `${KEY}#deliveries`, dueAt: 0, headers: {}, payload: Buffer.from(SECRET) };
  await queue.settle(first, { state: 'Succeeded', attempts: 1, message: '', followers: [follower], result });
  const letter = { ...task, kind: 'invocation' as const, state: 'Failed' as const, message: 'm', attempts: 1 };
  await queue.settle(second, { state: 'Failed', attempts: 1, message: 'm', followers: [], letter });
  const stored = await queue.tasks.get(task.account, 'f', first.id === 'a' ? 't' : 'u');
  assert.equal(Buffer.from(stored?.result ?? []).toString(), `result ${SECRET}`);
  const [dead] = await queue.letters.list({ account: task.account, limit: 1 });
  assert.equal(dead?.payloadBytes, SECRET.length);
  const kept = await queue.letters.get(task.account, dead?.number ?? 0);
  assert.deepEqual([Buffer.from(kept?.payload ?? []).toString(), kept?.headers], [SECRET, headers]);
  for (const name of readdirSync(join(path, '..')))
    assert.equal(readFileSync(join(path, '..', name)).includes(SECRET), false, name);
  await queue.close();
});
