import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { AgentWorld, call } from './agent-world.ts';

let world: AgentWorld;

before(async () => {
  world = await AgentWorld.open({ poolDepth: 1, poolAlways: ['nodejs24'] }, 'process');
  await world.startAgent();
});
after(() => world.close());

test('without isolation, functions find their code and folders where these really are', async () => {
  const pool = world.nodes();
  const order = await world.order(
    {
      'index.js': `exports.handler = async () => [
        process.env.FC_FUNC_CODE_PATH === __dirname, process.cwd() === __dirname, process.env.SECRET ?? 'none',
      ].join(' ');`,
    },
    { runtime: 'nodejs24' },
  );
  const started = await pool.start(order);
  const link = await world.dial(order, started);
  assert.equal(await call(link, ''), 'true true none');
  await pool.stop(order.instanceId);
  await link.closed;
});

test('a killed agent finds plain processes again, and SIGTERM ends them', async () => {
  const pool = world.nodes();
  const order = await world.order({ 'index.js': `exports.handler = async (event) => event;` }, { runtime: 'nodejs24' });
  const started = await pool.start(order);
  const link = await world.dial(order, started);
  await world.endAgent('SIGKILL');
  const listing = pool.list();
  await world.startAgent();
  assert.deepEqual(
    (await listing).map((found) => found.instanceId),
    [order.instanceId],
  );
  assert.equal(await call(link, 'alive'), 'alive');
  await world.endAgent('SIGTERM');
  await link.closed;
  assert.deepEqual(readdirSync(world.runDir), []);
});
