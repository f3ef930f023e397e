import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { BinaryHeap } from '../../../src/core/base/binary-heap.ts';

it('a binary heap gives the least first, whatever is pushed and popped in between', () => {
  const step = fc.oneof({ weight: 2, arbitrary: fc.integer({ min: -20, max: 20 }) }, fc.constant('pop' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new BinaryHeap<number>((a, b) => a < b);
      let model: number[] = [];
      for (const each of steps) {
        if (each === 'pop') {
          model = model.toSorted((a, b) => a - b);
          assert.equal(heap.pop(), model.shift());
        } else {
          heap.push(each);
          model.push(each);
        }
        assert.equal(heap.size, model.length);
        assert.equal(heap.peek(), model.length === 0 ? undefined : Math.min(...model));
      }
    }),
  );
});
