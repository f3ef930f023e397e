import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../../../src/adapters/queue-sqlite/turns.ts';

test('reminders grow with the keys, not with what was ever due', () => {
  const turns = new Turns();
  const hour = 3_600_000;
  const busy = turns.add(1, 'busy');
  const quiet = turns.add(2, 'quiet');
  turns.offer(quiet, hour + 5);
  // A key with an event far off, and a stream of events that are due at once.
  for (let now = 1; now <= 20_000; now++) {
    turns.offer(busy, now);
    assert.deepEqual(turns.due(now, 10, new Set()), [busy]);
    turns.setNextDue(busy, hour);
    turns.served(busy, now);
  }
  assert.ok(turns.reminders < 2_000, `${turns.reminders} reminders for two keys`);
  assert.equal(turns.nextDue(), hour);
  assert.deepEqual(turns.due(hour, 10, new Set()), [busy]);
  assert.deepEqual(turns.due(hour + 5, 10, new Set()), [busy, quiet]);
});
