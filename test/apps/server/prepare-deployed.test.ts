import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prepareDeployed } from '../../../src/apps/server/prepare-deployed.ts';
import { ACCOUNT, World } from '../../services/scheduler/world.ts';
import { settle } from '../../services/scheduler/simulated-clock.ts';

test('code of a deployed or changed function is prepared once per version, failures are told', async () => {
  const world = new World();
  const errors: unknown[] = [];
  const preparing = prepareDeployed({
    catalog: world.catalog,
    pool: world.pool,
    onError: (error) => errors.push(error),
  });
  const first = world.catalog.put('f');
  world.catalog.put('f', first.config);
  await settle();
  const seen = (): string[] => world.pool.pauses.map(([what, key]) => `${what} ${key}`);
  assert.equal(new Set(seen()).size, seen().length);
  assert.ok(seen().includes(`prepare ${(await world.catalog.spec(ACCOUNT, 'f', 'LATEST'))?.key}`));
  world.pool.prepare = () => Promise.reject(new Error('no blob'));
  world.catalog.put('g');
  await settle();
  assert.equal(errors.length, 1);
  preparing.dispose();
  world.catalog.put('h');
  await settle();
  assert.equal(errors.length, 1);
});
