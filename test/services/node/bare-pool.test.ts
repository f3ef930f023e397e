import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionConfig } from '../../../src/core/domain/function.ts';
import { bareKind } from '../../../src/services/node/bare-pool.ts';
import type { PoolPolicy } from '../../../src/services/node/pool-sizing.ts';
import { makeNode } from './fake-node.ts';
import { orderOf } from './fakes.ts';

const POLICY: PoolPolicy = { depth: 1, always: [], recentMs: 60_000, maxMembers: 4 };
const CUSTOM: Partial<FunctionConfig> = {
  runtime: 'custom.debian12',
  customRuntimeConfig: { command: ['/code/bootstrap'], args: ['x'], port: 9000 },
};
const OWN_BOOT: Partial<FunctionConfig> = { environmentVariables: { NODE_OPTIONS: '--no-warnings' } };

/** A node where sandboxes of these kinds are waiting. */
async function nodeWithBare(configs: readonly Partial<FunctionConfig>[]) {
  const made = makeNode({ barePolicy: POLICY });
  await made.node.open();
  for (const config of configs) await made.node.prepare(orderOf(config).spec);
  for (let round = 0; round < 5; round++) await made.clock.advance(100);
  return made;
}

test('a custom runtime starts in a sandbox that was made ahead, with its own command, limits and code', async () => {
  const { node, sandboxes, clock } = await nodeWithBare([CUSTOM]);
  assert.deepEqual(node.info().bare, { custom: 1 });
  const [waiting] = sandboxes.all.values();
  assert.equal(waiting?.spec.listen, 'http');
  // Any custom runtime fits: they all run on the same system files.
  const started = await node.start(orderOf({ ...CUSTOM, runtime: 'custom', memorySize: 512 }));
  assert.equal(started.timings.from, 'bare');
  assert.ok(waiting !== undefined);
  const begun = sandboxes.begun.get(waiting);
  assert.deepEqual(begun?.args.slice(-2), ['/code/bootstrap', 'x']);
  assert.equal(begun?.env.FC_SERVER_PORT, '9000');
  assert.equal(begun?.cwd, '/code');
  assert.equal(waiting.specialised?.limits.memoryMb, 512);
  assert.deepEqual(
    waiting.specialised?.mounts.map(({ target }) => target),
    ['/code'],
  );
  for (let round = 0; round < 5; round++) await clock.advance(100);
  assert.deepEqual(node.info().bare, { custom: 1 }, 'it is replaced');
  await node.drain();
  assert.equal(sandboxes.all.size, 0);
});

test('a built-in runtime that must boot anew does so in a sandbox made ahead, with its variables', async () => {
  const { node, sandboxes } = await nodeWithBare([OWN_BOOT]);
  assert.deepEqual(node.info().bare, { nodejs20: 1 });
  const [waiting] = sandboxes.all.values();
  const started = await node.start(orderOf(OWN_BOOT));
  assert.equal(started.timings.from, 'bare');
  assert.ok(waiting !== undefined);
  assert.equal(sandboxes.begun.get(waiting)?.env.NODE_OPTIONS, '--no-warnings');
  assert.deepEqual(sandboxes.begun.get(waiting)?.args, ['/rt/node']);
  assert.ok(waiting.specialised !== undefined, 'its code is shown afterwards');
  await node.drain();
});

test('what needs another sandbox is made from scratch, and one that died while it waited fails no start', async () => {
  const { node, sandboxes } = await nodeWithBare([CUSTOM, OWN_BOOT]);
  const dns = { nameServers: ['1.1.1.1'], searches: [], dnsOptions: [] };
  for (const config of [
    { ...CUSTOM, diskSize: 10_240 as const },
    { ...OWN_BOOT, customDns: dns },
  ]) {
    const started = await node.start(orderOf(config));
    assert.equal(started.timings.from, 'scratch');
  }
  assert.equal((await node.start(orderOf({ ...CUSTOM, customDns: dns }))).timings.from, 'bare');
  const waiting = [...sandboxes.begun].find(([, process]) => process === undefined)?.[0];
  assert.ok(waiting !== undefined);
  waiting.dead = true;
  assert.equal((await node.start(orderOf(waiting.spec.listen === 'http' ? CUSTOM : OWN_BOOT))).timings.from, 'scratch');
  assert.equal(waiting.destroyed, true);
  await node.drain();
  assert.equal(sandboxes.all.size, 0);
});

test('a tier that cannot make sandboxes without a process has none of this, and does not try again and again', async () => {
  const made = makeNode({ barePolicy: POLICY });
  Object.defineProperty(made.sandboxes, 'createBare', { value: undefined });
  const { node, sandboxes, clock } = makeNode({ barePolicy: POLICY }, { sandboxes: made.sandboxes });
  await node.open();
  await node.prepare(orderOf(CUSTOM).spec);
  await clock.advance(60_000);
  assert.equal(sandboxes.created, 0);
  assert.equal((await node.start(orderOf(CUSTOM))).timings.from, 'scratch');
  await node.drain();
});

test('all custom runtimes share a kind', () => {
  assert.deepEqual(['custom', 'custom.debian10', 'nodejs24'].map(bareKind), ['custom', 'custom', 'nodejs24']);
});
