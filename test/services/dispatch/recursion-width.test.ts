import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecursionWidth, recursionDepth, widthAt } from '../../../src/services/dispatch/recursion-width.ts';

const settle = () => new Promise(setImmediate);
const never = new AbortController().signal;

test('the width halves with each level and never ends', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 16].map((depth) => widthAt(depth, 16)),
    [8, 4, 2, 1, 1, 1],
  );
  assert.equal(widthAt(3, 100), 12);
});

test('depth counts how often the function is in its own chain', () => {
  const step = (functionName: string) => ({ functionName, requestId: 'r', cause: 'object' }) as const;
  const lineage = { hops: 3, rootRequestId: 'r', chain: [step('f'), step('g'), step('f')] };
  assert.deepEqual(
    ['f', 'g', 'h'].map((name) => recursionDepth(lineage, name)),
    [2, 1, 0],
  );
});

test('the deepest goes first, and one at a time once it is deep', async () => {
  const width = new RecursionWidth();
  const order: number[] = [];
  const ends: (() => void)[] = [];
  const enter = (depth: number): void => {
    void width.enter('k', depth, 16, never).then((end) => {
      order.push(depth);
      ends.push(end);
    });
  };
  for (const depth of [4, 1, 6, 5]) enter(depth);
  await settle();
  assert.deepEqual(order, [4]);
  while (ends.length > 0) {
    ends.shift()?.();
    await settle();
  }
  assert.deepEqual(order, [4, 6, 5, 1]);
  assert.equal(width.size, 0);
});

test('other roots do not wait, and who gives up leaves nothing', async () => {
  const width = new RecursionWidth();
  const end = await width.enter('a', 9, 16, never);
  const other = await width.enter('b', 9, 16, never);
  const abort = new AbortController();
  const waiting = width.enter('a', 9, 16, abort.signal);
  abort.abort(new Error('gone'));
  await assert.rejects(waiting, /gone/);
  await assert.rejects(width.enter('a', 9, 16, abort.signal), /gone/);
  end();
  other();
  assert.equal(width.size, 0);
});

test('however they come and go: never more than the widest allows, everyone gets a turn, nothing is left', async () => {
  const event = fc.record({ depth: fc.integer({ min: 1, max: 8 }), gone: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
      const width = new RecursionWidth();
      let running = 0;
      let ran = 0;
      let left = 0;
      const all = events.map(async ({ depth, gone }, n) => {
        const abort = new AbortController();
        if (gone) queueMicrotask(() => abort.abort(new Error('gone')));
        try {
          const end = await width.enter('k', depth, 16, abort.signal);
          running++;
          assert.ok(running <= 8, `${running} at once`);
          for (let turn = 0; turn <= n % 3; turn++) await Promise.resolve();
          running--;
          ran++;
          end();
        } catch (error) {
          if (!(error instanceof Error) || error.message !== 'gone') throw error;
          left++;
        }
      });
      await Promise.all(all);
      assert.equal(ran + left, events.length);
      assert.equal(width.size, 0);
    }),
    { numRuns: 60 },
  );
});
