import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Demand, desiredDepths, type PoolPolicy, withStarts } from '../../../src/services/node/pool-sizing.ts';

const POLICY: PoolPolicy = { depth: 2, always: ['nodejs20'], recentMs: 600_000, maxMembers: 20 };

function demandOf(starts: readonly (readonly [at: number, count: number])[]): Demand {
  let demand: Demand | undefined;
  for (const [at, count] of starts) demand = withStarts(demand, count, at);
  assert.ok(demand !== undefined);
  return demand;
}

function depths(demands: Record<string, Demand>, now: number, policy = POLICY): Record<string, number> {
  return Object.fromEntries(desiredDepths(policy, new Map(Object.entries(demands)), now));
}

test('recently used runtimes are kept deep, the default one shallow, the newest first when members are few', () => {
  const one = (at: number): Demand => demandOf([[at, 1]]);
  const few = { ...POLICY, maxMembers: 4, recentMs: 60_000 };
  assert.deepEqual(depths({}, 0, few), { nodejs20: 1 });
  assert.deepEqual(depths({ nodejs20: one(0) }, 60_000, few), { nodejs20: 2 });
  assert.deepEqual(depths({ nodejs20: one(0) }, 60_001, few), { nodejs20: 1 });
  assert.deepEqual(depths({ nodejs22: one(1), 'python3.10': one(3) }, 5, few), {
    'python3.10': 2,
    nodejs22: 2,
    nodejs20: 0,
  });
  assert.deepEqual(depths({ nodejs22: one(1) }, 5, { ...few, depth: 0 }), { nodejs22: 0 });
});

test('a burst makes the pool deep, time makes it shallow again', () => {
  const burst = demandOf(Array.from({ length: 12 }, (_, index) => [index * 10, 1]));
  assert.equal(depths({ nodejs24: burst }, 200)['nodejs24'], 12);
  assert.equal(depths({ nodejs24: burst }, 120_110)['nodejs24'], 6);
  assert.equal(depths({ nodejs24: burst }, 500_000)['nodejs24'], 2);
  const slow = demandOf(Array.from({ length: 12 }, (_, index) => [index * 2_000, 1]));
  assert.equal(depths({ nodejs24: slow }, 24_000)['nodejs24'], 2, 'one now and then is no burst');
});

test('what is only expected keeps a runtime ready and asks for no more than that', () => {
  const expected = demandOf([
    [0, 0],
    [1, 0],
  ]);
  assert.equal(depths({ nodejs24: expected }, 2)['nodejs24'], 2);
});

test('bursts that do not fit share the budget in proportion, and nobody goes without', () => {
  const big = demandOf([[0, 62]]);
  const small = demandOf([[0, 22]]);
  const result = depths({ big, small }, 0);
  assert.deepEqual(result, { big: 2 + 11, small: 2 + 3, nodejs20: 1 });
});

test('the budget holds, whatever was asked for', () => {
  const starts = fc.array(fc.tuple(fc.nat(1_000_000), fc.nat(500)), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), starts, { maxKeys: 8 }), fc.nat(64), fc.nat(2_000_000), (uses, max, now) => {
      const demands = new Map(
        Object.entries(uses).map(([id, list]) => [id, demandOf(list.toSorted((a, b) => a[0] - b[0]))]),
      );
      const result = desiredDepths({ ...POLICY, maxMembers: max }, demands, now);
      const sum = [...result.values()].reduce((total, depth) => total + depth, 0);
      assert.ok(sum <= max);
      for (const depth of result.values()) assert.ok(depth >= 0);
    }),
  );
});
