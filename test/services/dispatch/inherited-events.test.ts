import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../src/core/base/log.ts';
import { InheritedEvents } from '../../../src/services/dispatch/inherited-events.ts';
import { settle, SimulatedClock } from '../scheduler/simulated-clock.ts';
import { MemoryQueue } from './memory-queue.ts';

test('an event whose call still runs is kept, its lease renewed, and given back when the call has ended', async () => {
  const clock = new SimulatedClock();
  const queue = new MemoryQueue(clock);
  const payload = Buffer.from('');
  const headers = { account: 'acc', functionName: 'f' };
  const event = (id: string) => ({ id, key: 'acc/f', dueAt: 0, headers: { ...headers, requestId: id }, payload });
  await queue.enqueue([event('running'), event('over')]);
  const held = await queue.lease({ max: 2, leaseMs: 30_000, now: clock.now() });
  const [first] = held;
  assert.ok(first);
  await queue.retry(first, { dueAt: clock.now(), countAttempt: false, failures: 4 });
  await queue.lease({ max: 1, leaseMs: 30_000, now: clock.now() });

  const call = Promise.withResolvers<void>();
  const scheduling = {
    earlierCall(id: string, account: string, functionName: string) {
      assert.deepEqual([account, functionName], ['acc', 'f']);
      return id === 'running' ? call.promise : undefined;
    },
  };
  const inherited = new InheritedEvents({ queue, scheduling, clock, logger: silentLogger });
  await inherited.takeOver(30_000);
  assert.equal(inherited.size, 1);
  const lease = async () => await queue.lease({ max: 9, leaseMs: 30_000, now: clock.now() });
  assert.deepEqual(
    (await lease()).map(({ id }) => id),
    ['over'],
  );
  await clock.advance(20_000);
  inherited.renew(clock.now() + 30_000);
  await clock.advance(20_000);
  const ids = (await lease()).map(({ id }) => id);
  assert.ok(!ids.includes('running'), 'it does not run beside itself');
  for (const each of held) {
    const end = { state: 'Failed', attempts: 1, message: '', followers: [] } as const;
    assert.equal(await queue.settle(each, end), false, 'whoever held it before has nothing to say');
  }
  // The wall clock is set: its lease has run out and comes to the same process once more.
  const [relet] = await queue.lease({ max: 9, leaseMs: 30_000, now: clock.now() + 60_000 });
  assert.equal(relet?.id, 'running');
  assert.equal(inherited.relet(relet), true);
  assert.equal(inherited.relet({ ...relet, id: 'another' }), false);
  call.resolve();
  await settle();
  assert.equal(inherited.size, 0);
  const [again] = (await lease()).filter(({ id }) => id === 'running');
  assert.deepEqual([again?.attempts, again?.failures], [0, 4], 'back-off goes on where it was');
});
