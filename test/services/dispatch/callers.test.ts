import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionPrincipal, rootPrincipal } from '../../../src/core/domain/credentials.ts';
import { type Lineage, rootLineage } from '../../../src/core/domain/lineage.ts';
import type { InstanceAnswer } from '../../../src/core/ports/instance-link.ts';
import { settle } from '../scheduler/simulated-clock.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld } from './dispatch-world.ts';

const F = functionPrincipal(ACCOUNT, `acs:fc:local:${ACCOUNT}:functions/f`);
const ROOT = rootPrincipal(ACCOUNT);

/** A world whose instances have addresses of their own and hold their calls until they are told to answer. */
async function holding(config: { instanceConcurrency?: number; addresses?: boolean } = {}) {
  const world = await DispatchWorld.open();
  world.catalog.put('f', { instanceConcurrency: config.instanceConcurrency ?? 1, timeout: 600 });
  const answers = new Map<string, () => void>();
  world.answer = (call) =>
    new Promise<InstanceAnswer>((resolve) => {
      answers.set(call.requestId, () => resolve({ errorType: undefined, payload: Buffer.from('ok') }));
    });
  let instances = 0;
  if (config.addresses !== false) {
    world.pool.sourceOf = (instanceId) => {
      const known = world.pool.sources.get(instanceId) ?? `10.0.0.${++instances}`;
      world.pool.sources.set(instanceId, known);
      return known;
    };
  }
  const begin = async (requestId: string, lineage: Lineage = rootLineage(requestId)): Promise<void> => {
    const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
    void world.dispatch.invoke(world.command(target, { requestId, lineage }));
  };
  const end = async (requestId: string): Promise<void> => {
    answers.get(requestId)?.();
    await settle();
  };
  return { world, begin, end, callerOf: world.dispatch.callerOf.bind(world.dispatch) };
}

const hops = (count: number): Lineage => ({ hops: count, rootRequestId: `root${count}` });

test('an instance is known by its address, whoever signs; between calls it is its last call, after its end nobody', async () => {
  const { world, begin, end, callerOf } = await holding();
  await begin('r1');
  await world.clock.advance(1_000);
  const caller = { functionName: 'f', requestId: 'r1', lineage: rootLineage('r1') };
  for (const address of ['10.0.0.1', '::ffff:10.0.0.1']) {
    assert.deepEqual(callerOf(address, undefined), caller);
    assert.deepEqual(callerOf(address, ROOT), caller);
  }
  assert.equal(callerOf('10.0.0.2', undefined), undefined);
  assert.equal(callerOf('127.0.0.1', ROOT), undefined);
  assert.equal(callerOf(undefined, undefined), undefined);
  await end('r1');
  assert.deepEqual(callerOf('10.0.0.1', undefined), caller);
  const [instanceId = ''] = world.pool.running.keys();
  world.pool.exit(instanceId, 'crash');
  await settle();
  assert.equal(callerOf('10.0.0.1', undefined), undefined);
  assert.equal(callerOf(undefined, F), undefined);
  await world.close();
});

test('of several calls on one instance it is the one with the most hops', async () => {
  const { world, begin, end, callerOf } = await holding({ instanceConcurrency: 3 });
  await begin('r1');
  await world.clock.advance(1_000);
  await begin('r2', hops(5));
  await begin('r3', hops(2));
  await settle();
  assert.equal(callerOf('10.0.0.1', undefined)?.requestId, 'r2');
  await end('r2');
  assert.equal(callerOf('10.0.0.1', undefined)?.requestId, 'r3');
  await world.close();
});

test('without addresses the credentials name the function: running calls first, then those that wait for a start, then the last', async () => {
  const { world, begin, end, callerOf } = await holding({ addresses: false });
  assert.equal(callerOf('127.0.0.1', F), undefined);
  await begin('r1', hops(1));
  await settle();
  assert.equal(callerOf('127.0.0.1', F)?.requestId, 'r1', 'its initializer may be running');
  await world.clock.advance(1_000);
  await begin('r2', hops(4));
  await world.clock.advance(1_000);
  assert.equal(callerOf('127.0.0.1', F)?.requestId, 'r2');
  assert.equal(callerOf('127.0.0.1', ROOT), undefined);
  assert.equal(callerOf('127.0.0.1', { ...F, functionArn: 'acs:fc:local:1:functions/g' }), undefined);
  await end('r2');
  assert.equal(callerOf('127.0.0.1', F)?.requestId, 'r1');
  await end('r1');
  assert.equal(callerOf('127.0.0.1', F)?.requestId, 'r2');
  await world.close();
});
