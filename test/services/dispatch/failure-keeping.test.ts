import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ThrottledError } from '../../../src/core/domain/overload.ts';
import { InstanceStartError } from '../../../src/core/ports/node-pool.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld } from './dispatch-world.ts';

test('of calls that failed, and only of those, it is kept what they were given', async () => {
  const world = await DispatchWorld.open();
  const spec = world.catalog.put('f');
  const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
  const call = async (requestId: string): Promise<void> => {
    const input = { kind: 'event', payload: Buffer.from(`to ${requestId}`) } as const;
    const ended = world.dispatch.invoke(world.command(target, { requestId, input })).catch(() => {});
    await world.clock.advance(5_000);
    await ended;
  };
  world.answer = () => world.later(5, { errorType: undefined, payload: Buffer.from('fine') });
  await call('fine');
  assert.equal(world.failed.length, 0);
  const payload = Buffer.from('{"errorMessage":"bad"}');
  world.answer = () => world.later(5, { errorType: 'UnhandledInvocationError', payload });
  await call('failing');
  world.answer = () => new Promise(() => {});
  await call('too-long');
  assert.deepEqual(
    world.failed.map(({ requestId, payload: kept }) => [requestId, Buffer.from(kept).toString()]),
    [
      ['failing', 'to failing'],
      ['too-long', 'to too-long'],
    ],
  );
  const [first] = world.failed;
  assert.deepEqual([first?.account, first?.functionName, first?.qualifier], [ACCOUNT, spec.functionName, 'LATEST']);
  await world.close();
});

test('a function that cannot start counts as failed, a caller that was refused does not', async () => {
  const world = await DispatchWorld.open();
  world.catalog.put('f');
  const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
  const failure = { kind: 'load', message: 'no such module', startLog: '' } as const;
  world.scheduling.acquireNow = () => undefined;
  world.scheduling.acquire = () => Promise.reject(new InstanceStartError(failure));
  await world.dispatch.invoke(world.command(target, { requestId: 'unloadable' })).catch(() => {});
  world.scheduling.acquire = () => Promise.reject(new ThrottledError('account-calls', 'ResourceThrottled', 'busy'));
  await assert.rejects(world.dispatch.invoke(world.command(target, { requestId: 'throttled' })));
  assert.deepEqual(
    world.failed.map(({ requestId }) => requestId),
    ['unloadable'],
  );
  await world.close();
});
