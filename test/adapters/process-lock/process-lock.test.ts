import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { lockFolder } from '../../../src/adapters/process-lock/index.ts';

const folder = `/nowhere/${process.pid}`;

test('one holder at a time, for each role and folder', async () => {
  const lock = await lockFolder('server', folder, systemClock, 0);
  assert.ok(lock);
  assert.equal(await lockFolder('server', folder, systemClock, 0), undefined);
  const others = [await lockFolder('agent', folder, systemClock, 0), await lockFolder('server', '/', systemClock, 0)];
  for (const other of others) {
    assert.ok(other);
    other.dispose();
  }
  lock.dispose();
});

test('waits for a holder that is ending', async () => {
  const lock = await lockFolder('server', folder, systemClock, 0);
  const next = lockFolder('server', folder, systemClock, 10_000);
  lock?.dispose();
  const held = await next;
  assert.ok(held);
  held.dispose();
});
