import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootLineage } from '../../../src/core/domain/lineage.ts';
import { LeaseBatch } from '../../../src/services/dispatch/lease-batch.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld } from './dispatch-world.ts';

test('the batch doubles while all of it comes and finds room, up to a bound, and begins anew when some found none', () => {
  const batch = new LeaseBatch();
  const sizes = [batch.size];
  for (let n = 0; n < 5; n++) {
    batch.took(batch.size, batch.size, false);
    sizes.push(batch.size);
  }
  assert.deepEqual(sizes, [32, 64, 128, 256, 256, 256]);
  batch.took(256, 255, false);
  assert.equal(batch.size, 256, 'a batch that was not full says nothing');
  batch.took(256, 0, false);
  assert.equal(batch.size, 256);
  batch.took(256, 256, true);
  assert.equal(batch.size, 32);
  batch.took(7, 7, false);
  assert.equal(batch.size, 64, 'all that was asked for came, however little that was');
});

test('of many functions with room ever more is leased at once; without room little, and never too much is held', async () => {
  const names = Array.from({ length: 8 }, (_, n) => `f${n}`);
  const world = await DispatchWorld.open({ started: false });
  for (const name of names) world.catalog.put(name);
  world.scheduling.room = () => 1_000;
  world.answer = () => world.later(1, { errorType: undefined, payload: Buffer.from('done') });
  const asked: number[] = [];
  const { lease } = world.queue;
  world.queue.lease = (options) => {
    asked.push(options.max);
    return lease.call(world.queue, options);
  };
  const enqueue = async (round: string): Promise<void> => {
    for (let n = 0; n < 150 * names.length; n++) {
      const functionName = names[n % names.length] ?? '';
      const requestId = `${round}-${n}`;
      const lineage = rootLineage(requestId);
      const payload = Buffer.from('e');
      const qualifier = undefined;
      await world.dispatch.invokeAsync({ requestId, account: ACCOUNT, functionName, qualifier, payload, lineage });
    }
  };
  await enqueue('room');
  await world.dispatch.start();
  await world.clock.advance(60_000);
  assert.equal(world.queue.stored.length, 0);
  // What version runs, and so what room there is, shows with the first event of a function: only then it grows.
  assert.deepEqual(asked.slice(0, 6), [32, 32, 32, 64, 128, 256]);

  world.scheduling.room = () => 0;
  world.answer = () => world.later(10_000, { errorType: undefined, payload: Buffer.from('done') });
  asked.length = 0;
  await enqueue('none');
  await world.clock.advance(5_000);
  assert.deepEqual(new Set(asked), new Set([32]));
  assert.ok((await world.queue.depth()).leased <= 512);
  await world.close();
});
