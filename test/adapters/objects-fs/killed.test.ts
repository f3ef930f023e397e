import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openObjectStore } from '../../../src/adapters/objects-fs/store.ts';
import { killAfterLines } from '../killed-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now(), after: () => ({ dispose() {} }) };
const random = { bytes: (count: number) => randomBytes(count), float: () => Math.random() };

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** The last change of a worker that the killed process had reported. */
function lastReported(lines: readonly string[], key: string): { n: number; removed: boolean } {
  const last = lines.findLast((line) => line.split(' ')[1] === key)?.split(' ');
  return { n: Number(last?.[2] ?? -1), removed: last?.[0] === 'removed' };
}

for (const round of [7, 40, 111]) {
  test(`killed after ${round} changes: every resolved one is there with its event, no file is left over`, async (t) => {
    const dir = await temporaryFolder(t);
    const lines = await killAfterLines(new URL('./writer.ts', import.meta.url), [dir], round);
    const store = await openObjectStore({ dir, clock, random });
    const events = await store.events(0, 100_000);
    let present = 0;
    for (const worker of [0, 1, 2, 3]) {
      const key = `k${worker}`;
      const reported = lastReported(lines, key);
      const object = await store.open('1', 'bucket', key);
      // The step after the last one reported may have been committed too; never anything older.
      const possible = reported.removed ? [undefined, reported.n + 1] : [reported.n, reported.n + 1, undefined];
      if (reported.n === -1) possible.push(0);
      const content = object === undefined ? undefined : await text(object.body);
      const found = content === undefined ? undefined : Number(/^\d:(\d+);/.exec(content)?.[1]);
      assert.ok(possible.includes(found), `${key}: reported ${reported.n}, found ${found}`);
      if (found !== undefined) {
        present += 1;
        assert.equal(content, `${worker}:${found};`.repeat(20));
      }
      const created = events.filter((event) => event.key === key && event.eventName.startsWith('ObjectCreated'));
      assert.ok(created.length >= reported.n + 1);
      const last = events.findLast((event) => event.key === key);
      assert.equal(last?.eventName.startsWith('ObjectCreated') ?? false, found !== undefined);
    }
    const files = await readdir(join(dir, 'content'), { recursive: true, withFileTypes: true });
    assert.equal(files.filter((entry) => entry.isFile()).length, present);
    assert.deepEqual(await readdir(join(dir, 'incoming')), []);
    await store.close();
  });
}
