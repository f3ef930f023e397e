import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CHAIN_KEPT,
  chainText,
  deeper,
  descend,
  isRecursive,
  type Lineage,
  rootLineage,
} from '../../../src/core/domain/lineage.ts';

function chainOf(length: number): Lineage {
  let lineage = rootLineage('r0');
  for (let n = 0; n < length; n++) lineage = descend({ functionName: `f${n}`, requestId: `r${n}`, lineage }, 'object');
  return lineage;
}

test('what an invocation causes is one hop further and has it at the end of the chain', () => {
  assert.deepEqual(chainOf(2), {
    hops: 2,
    rootRequestId: 'r0',
    cause: 'object',
    chain: [
      { functionName: 'f0', requestId: 'r0', cause: 'call' },
      { functionName: 'f1', requestId: 'r1', cause: 'object' },
    ],
  });
  assert.equal(chainText(chainOf(2)), 'f0 r0 → f1 r1');
  assert.equal(isRecursive(chainOf(2), 'f1'), true);
  assert.equal(isRecursive(chainOf(2), 'f2'), false);
});

test('hops count every invocation; the chain is bounded and keeps its first and its last ones', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100 }), (length) => {
      const { hops, rootRequestId, chain = [] } = chainOf(length);
      assert.deepEqual([hops, rootRequestId], [length, 'r0']);
      assert.equal(chain.length, Math.min(length, CHAIN_KEPT));
      if (length === 0) return;
      assert.equal(chain[0]?.requestId, 'r0');
      assert.equal(chain.at(-1)?.requestId, `r${length - 1}`);
    }),
  );
});

test('the longer chain of two counts, in whichever order they stand', () => {
  const [short, long] = [chainOf(1), chainOf(3)];
  assert.equal(deeper(short, long), long);
  assert.equal(deeper(long, short), long);
  assert.equal(deeper(undefined, short), short);
  assert.equal(deeper(short, undefined), short);
  assert.equal(deeper(undefined, undefined), undefined);
});
