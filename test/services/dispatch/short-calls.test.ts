import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceAnswer, InstanceCall } from '../../../src/core/ports/instance-link.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld, textOf } from './dispatch-world.ts';

/** Two running instances of a function whose calls have all been very short. */
async function proven(world: DispatchWorld): Promise<(id: string) => Promise<string>> {
  world.catalog.put('f');
  const target = await world.dispatch.resolve(ACCOUNT, 'f', 'LATEST');
  const send = async (id: string): Promise<string> =>
    textOf((await world.dispatch.invoke(world.command(target, { requestId: id }))).payload);
  world.answer = (call) => world.later(1, quick(call));
  const both = [send('a'), send('b')];
  await world.clock.advance(1_000);
  await Promise.all(both);
  for (let each = 0; each < 60; each++) {
    const one = send(`warm${each}`);
    await world.clock.advance(2);
    await one;
  }
  return send;
}

function quick(call: InstanceCall): InstanceAnswer {
  return { errorType: undefined, payload: Buffer.from(call.requestId), quick: true };
}

test('a call that waits behind a long one is taken back after 5 ms, not before, and answered elsewhere', async () => {
  const world = await DispatchWorld.open();
  const send = await proven(world);
  const seen: [string, string][] = [];
  const long = Promise.withResolvers<InstanceAnswer>();
  world.answer = async (call, instanceId) => {
    seen.push([call.requestId, instanceId]);
    if (call.requestId === 'long') return long.promise;
    // Behind the long one it does not begin; elsewhere it is answered at once.
    return instanceId === seen[0]?.[1] ? new Promise<InstanceAnswer>(() => undefined) : quick(call);
  };
  const first = send('long');
  const second = send('short');
  await world.clock.advance(4);
  assert.deepEqual(
    seen.map(([id]) => id),
    ['long', 'short'],
  );
  assert.equal(seen[0]?.[1], seen[1]?.[1], 'they are at one instance');
  await world.clock.advance(1);
  assert.equal(await second, 'short');
  assert.equal(seen.length, 3);
  assert.notEqual(seen[2]?.[1], seen[0]?.[1], 'it ran at the other');
  long.resolve({ errorType: undefined, payload: Buffer.from('long') });
  assert.equal(await first, 'long');
  const settled = world.facts.of('invocation-settled').filter(({ requestId }) => requestId === 'short');
  assert.equal(settled.length, 1, 'one call, one record');
  await world.close();
});
