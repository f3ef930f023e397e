import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FairQueue } from '../../../src/services/scheduler/fairness.ts';
import { createSchedulerState, VersionState, versionState } from '../../../src/services/scheduler/state.ts';
import { shapeOf, Simulator } from './simulator.ts';

function versionOf(account: string, name: string, memoryMb = 128): VersionState {
  const state = createSchedulerState({ epoch: 1, now: 0 });
  const shape = shapeOf(name, { account, functionKey: `${account}/${name}`, key: `${account}/${name}@1`, memoryMb });
  return versionState(state, shape);
}

/** Starts `turns` instances for whoever is next; everybody wants more. */
function serve(queue: FairQueue, turns: number): Record<string, number> {
  const served: Record<string, number> = {};
  for (let i = 0; i < turns; i++) {
    const version = queue.next();
    if (version === undefined) break;
    queue.charge(version);
    const { functionKey } = version.shape;
    served[functionKey] = (served[functionKey] ?? 0) + 1;
  }
  return served;
}

test('accounts share equally, and within an account its functions do', () => {
  const queue = new FairQueue();
  for (const version of [
    versionOf('a', 'one'),
    versionOf('b', 'one'),
    versionOf('b', 'two'),
    versionOf('b', 'three'),
  ]) {
    queue.pushBack(version.blocked);
  }
  const served = serve(queue, 1_200);
  assert.ok(Math.abs((served['a/one'] ?? 0) - 600) <= 4, JSON.stringify(served));
  for (const name of ['b/one', 'b/two', 'b/three']) assert.ok(Math.abs((served[name] ?? 0) - 200) <= 4, name);
});

test('the share is one of memory: a function of large instances starts fewer', () => {
  const queue = new FairQueue();
  queue.pushBack(versionOf('a', 'small', 128).blocked);
  queue.pushBack(versionOf('a', 'large', 1_024).blocked);
  const served = serve(queue, 900);
  const ratio = (served['a/small'] ?? 0) / (served['a/large'] ?? 1);
  assert.ok(ratio > 7 && ratio < 9, JSON.stringify(served));
});

test('who comes last waits for one turn of the others, not for all they want', () => {
  const queue = new FairQueue();
  const heavy = versionOf('a', 'heavy');
  queue.pushBack(heavy.blocked);
  serve(queue, 500);
  const late = versionOf('a', 'late');
  queue.pushBack(late.blocked);
  const served = serve(queue, 5);
  assert.ok((served['a/late'] ?? 0) >= 1, JSON.stringify(served));
});

test('whatever comes and goes, the queue holds exactly those, and next is one of them', () => {
  const step = fc.record({ pick: fc.nat(7), action: fc.constantFrom('push', 'push', 'remove', 'serve') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const versions = Array.from({ length: 8 }, (_, i) => versionOf(`acc${i % 3}`, `f${i % 5}`, 128 << (i % 4)));
      const queue = new FairQueue();
      const model = new Set<VersionState>();
      for (const { pick, action } of steps) {
        const version = versions[pick];
        if (version === undefined) continue;
        if (action === 'push') {
          queue.pushBack(version.blocked);
          model.add(version);
        } else if (action === 'remove') {
          version.blocked.unlink();
          model.delete(version);
        } else {
          const next = queue.next();
          assert.equal(next === undefined, model.size === 0);
          if (next === undefined) continue;
          assert.ok(model.has(next));
          queue.charge(next);
        }
        assert.equal(queue.size, model.size);
      }
    }),
    { numRuns: 300 },
  );
});

test('a function that wants many instances does not keep another from its first', () => {
  const simulator = new Simulator({ settings: { startsAtOnce: 2, startsUnmeasured: 100, instancesPerAccount: 200 } });
  for (let i = 0; i < 100; i++) simulator.call(shapeOf('heavy'), 10_000);
  const call = simulator.call(shapeOf('late'), 10);
  simulator.run(2_000);
  assert.equal(call.end, 'done');
  // two starts of 300 ms each are going on at a time; in order of arrival it would have come fiftieth
  assert.ok((call.grantedAt ?? 0) <= 900, `granted at ${call.grantedAt}`);
});
