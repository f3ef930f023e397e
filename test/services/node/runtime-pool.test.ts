import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PoolPolicy } from '../../../src/services/node/pool-sizing.ts';
import { makeNode } from './fake-node.ts';
import { orderOf, settle } from './fakes.ts';

const POLICY: PoolPolicy = { depth: 2, always: ['nodejs20'], recentMs: 60_000, maxMembers: 4 };

test('a start takes a waiting runtime, and the pool is filled again afterwards', async () => {
  const { node, sandboxes, clock } = makeNode({ poolPolicy: POLICY });
  await node.open();
  await clock.advance(100);
  assert.deepEqual(Object.fromEntries(node.pooled), { nodejs20: 1 });
  const [waiting] = sandboxes.all.values();
  const started = await node.start(orderOf());
  assert.equal(started.timings.from, 'pool');
  assert.equal(started.timings.runtimeMs, 0);
  assert.equal(started.address.kind === 'frames' && started.address.path, waiting?.socketPath);
  assert.equal(sandboxes.created, 1, 'nothing is made while the start runs');
  for (let round = 0; round < 3; round++) await clock.advance(100);
  assert.deepEqual(Object.fromEntries(node.pooled), { nodejs20: 2 });
  await node.drain();
  assert.equal(sandboxes.all.size, 0);
});

test('functions that need something at boot get a runtime of their own', async () => {
  const { node, sandboxes, clock } = makeNode({ poolPolicy: POLICY });
  await node.open();
  await clock.advance(100);
  for (const config of [
    { environmentVariables: { NODE_OPTIONS: '--no-warnings' } },
    { diskSize: 10_240 },
    { customDns: { nameServers: ['1.1.1.1'], searches: [], dnsOptions: [] } },
  ]) {
    const started = await node.start(orderOf(config));
    assert.equal(started.timings.from, 'scratch', JSON.stringify(config));
  }
  const own = [...sandboxes.all.values()].find((sandbox) => sandbox.spec.process.env.NODE_OPTIONS !== undefined);
  assert.equal(own?.spec.process.env.NODE_OPTIONS, '--no-warnings');
  assert.equal((await node.start(orderOf({ environmentVariables: { MY_VAR: 'x' } }))).timings.from, 'pool');
  await node.drain();
});

test('a pooled runtime that dies is replaced, and one that died unseen does not fail a start', async () => {
  const { node, sandboxes, clock } = makeNode({ poolPolicy: POLICY });
  await node.open();
  await clock.advance(100);
  const [first] = sandboxes.all.values();
  first?.die({ reason: 'crash' });
  await clock.advance(100);
  assert.equal(first?.destroyed, true);
  assert.deepEqual(Object.fromEntries(node.pooled), { nodejs20: 1 });
  const [second] = sandboxes.all.values();
  assert.ok(second !== undefined);
  second.dead = true;
  const started = await node.start(orderOf());
  assert.equal(started.timings.from, 'scratch');
  assert.equal(second.destroyed, true);
  await node.drain();
  assert.equal(sandboxes.all.size, 0);
});

test('boots that fail are retried ever later, and a start meanwhile says what the runtime said', async () => {
  const { node, sandboxes, clock } = makeNode({ poolPolicy: POLICY });
  sandboxes.behaviour.bootFails = true;
  await node.open();
  await clock.advance(100);
  assert.equal(sandboxes.created, 1);
  await clock.advance(10_000);
  assert.ok(sandboxes.created >= 3 && sandboxes.created <= 6, String(sandboxes.created));
  const failing = assert.rejects(node.start(orderOf()), /start command '\/rt\/node '\. Logs:cannot boot/);
  await clock.advance(1_000);
  await failing;
  sandboxes.behaviour.bootFails = false;
  await clock.advance(60_000);
  assert.equal(node.pooled.get('nodejs20'), 2);
  await node.drain();
  await settle();
  assert.equal(sandboxes.all.size, 0);
});

test('what boots for the pool stands back behind everything else, until a start takes it', async () => {
  const { node, sandboxes, clock } = makeNode({ poolPolicy: POLICY });
  await node.open();
  await clock.advance(100);
  const [waiting] = sandboxes.all.values();
  assert.equal(waiting?.spec.limits.cpuWeight, 0.05);
  await node.start(orderOf({ memorySize: 256, cpu: 2 }));
  assert.equal(waiting?.specialised?.limits.cpuWeight, 0.25);
  assert.deepEqual(
    waiting?.limits,
    { memoryMb: 256, cpu: 2, pids: 512 },
    'ready: its own limits, with the usual weight',
  );
  await node.drain();
});
