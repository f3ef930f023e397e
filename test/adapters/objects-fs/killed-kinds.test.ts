import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openObjectStore } from '../../../src/adapters/objects-fs/store.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now(), after: () => ({ dispose() {} }) };
const random = { bytes: (count: number) => randomBytes(count), float: () => Math.random() };

/** How often each line stands there. */
function counted(lines: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

for (const round of [5, 23, 64, 150]) {
  test(`killed after ${round} changes of every kind: the events tell exactly what is there`, async (t) => {
    const dir = await temporaryFolder(t);
    const lines = await killAfterLines(new URL('./kinds-writer.ts', import.meta.url), [dir], round);
    const store = await openObjectStore({ dir, clock, random });
    const events = await store.events(0, 100_000);

    // no object without its event, no event without its object: told again from the events, the bucket is what it is
    const told = new Map<string, { etag: string; size: number }>();
    for (const { eventName, key, etag, size, deltaSize, context } of events) {
      const before = told.get(key);
      assert.deepEqual(context.lineage, { hops: 1, rootRequestId: 'root', cause: 'object' });
      if (eventName.startsWith('ObjectCreated:')) {
        assert.equal(deltaSize, size - (before?.size ?? 0), eventName);
        told.set(key, { etag, size });
      } else {
        assert.deepEqual({ etag, size, deltaSize }, { ...before, deltaSize: -size }, eventName);
        told.delete(key);
      }
    }
    const query = { prefix: '', delimiter: '', after: '', limit: 1_000 };
    const { objects } = await store.list('bucket', query);
    assert.deepEqual(
      objects.map(({ key, etag, size }) => [key, { etag, size }]),
      [...told].sort(([a], [b]) => (a < b ? -1 : 1)),
    );

    // what had been answered has its event; each of the three workers may have got one step further, of two keys at most
    const kept = counted(events.map(({ eventName, key }) => `${eventName} ${key}`));
    const answered = counted(lines);
    for (const [line, times] of answered) assert.ok((kept.get(line) ?? 0) >= times, line);
    assert.ok(events.length <= lines.length + 6, `${events.length} events of ${lines.length} answered changes`);
    await store.close();
  });
}
