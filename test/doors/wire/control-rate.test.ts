import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STANDARD_QUOTAS } from '../../../src/core/domain/quota.ts';
import { ControlRate } from '../../../src/doors/wire/control-rate.ts';

test('ten seconds of the rate may come at once, then as many as the rate says; accounts do not share', () => {
  let now = 0;
  const clock = { now: () => 0, monotonic: () => now, after: () => ({ dispose() {} }) };
  const rate = new ControlRate({ of: () => ({ ...STANDARD_QUOTAS, requestsPerSecond: 5 }) }, clock);
  const letIn = (account: string, tries: number): number => {
    let count = 0;
    for (let index = 0; index < tries; index++) {
      try {
        rate.take(account);
        count++;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'ResourceExhausted');
      }
    }
    return count;
  };
  assert.equal(letIn('a', 100), 50);
  assert.equal(letIn('b', 100), 50);
  now += 1_000;
  assert.equal(letIn('a', 100), 5);
  now += 60_000;
  assert.equal(letIn('a', 100), 50);
});
