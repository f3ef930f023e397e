import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SchedulerEvent } from '../../../src/services/scheduler/events.ts';
import { KnownVersions } from '../../../src/services/scheduler/known-versions.ts';
import { FakeCatalog } from './world.ts';

test('no more versions are known than the bound, but for those in use', async () => {
  const catalog = new FakeCatalog();
  const sent: SchedulerEvent[] = [];
  const busy = new Set<string>();
  const known = new KnownVersions({
    catalog,
    send: (event) => sent.push(event),
    isQuiet: (key) => !busy.has(key),
    most: 10,
  });
  const specs = Array.from({ length: 200 }, (_, i) => catalog.put(`f${i}`));
  for (const spec of specs.slice(0, 5)) busy.add(spec.key);
  for (const spec of specs) await known.learn(spec);
  assert.equal(known.size, 10);
  for (const key of busy) assert.notEqual(known.get(key), undefined, 'what is in use stays');
  const last = specs.at(-1);
  assert.ok(last !== undefined && known.get(last.key) !== undefined);
  assert.equal(sent.filter((event) => event.type === 'retire').length, 190, 'the core forgets them too');
});
