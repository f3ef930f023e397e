import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GreedyDual } from '../../../src/adapters/code-fs/greedy-dual.ts';

const MIB = 1024 * 1024;
const entry = (name: string, priority: number) => ({ name, priority });

test('often used, slow to make and small stays; the first of equals goes', () => {
  const cache = new GreedyDual();
  const usual = cache.priority(1, 100, 10 * MIB);
  assert.ok(cache.priority(2, 100, 10 * MIB) > usual);
  assert.ok(cache.priority(1, 200, 10 * MIB) > usual);
  assert.ok(cache.priority(1, 100, 5 * MIB) > usual);
  assert.equal(cache.victim([entry('a', usual), entry('b', usual)])?.name, 'a');
  assert.equal(cache.victim([]), undefined);
});

test('what nobody uses any more falls behind what is new, however often it was used', () => {
  const cache = new GreedyDual();
  const once = entry('favourite', cache.priority(50, 10, MIB));
  let evicted = '';
  for (let i = 0; i < 200 && evicted !== 'favourite'; i++) {
    evicted = cache.victim([once, entry('newcomer', cache.priority(1, 10, MIB))])?.name ?? '';
  }
  assert.equal(evicted, 'favourite');
});

test('nothing is worth nothing: entries without size or cost have a finite priority', () => {
  const cache = new GreedyDual();
  assert.ok(Number.isFinite(cache.priority(1, 0, 0)));
  assert.ok(cache.priority(1, 0, 0) > 0);
});
