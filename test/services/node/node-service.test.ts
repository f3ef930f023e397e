import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import type { CpuReading } from '../../../src/core/domain/cpu-pressure.ts';
import { nodePoolSuite } from '../../../src/core/ports/node-pool.suite.ts';
import {
  InstanceStartError,
  type InstanceUsage,
  type NodePressure,
  type StartFailure,
} from '../../../src/core/ports/node-pool.ts';
import { RuntimeTimeoutError } from '../../../src/core/ports/runtime-control.ts';
import { makeNode } from './fake-node.ts';
import { harnessOver } from './fake-pool-harness.ts';
import { orderOf, settle } from './fakes.ts';

nodePoolSuite('node service', async () => {
  const { node, sandboxes } = makeNode({}, { clock: systemClock });
  await node.open();
  return harnessOver(node, sandboxes, { settled: settle, close: () => node.drain() });
});

async function failureOf(starting: Promise<unknown>): Promise<StartFailure> {
  try {
    await starting;
  } catch (error) {
    assert.ok(error instanceof InstanceStartError, String(error));
    return error.failure;
  }
  throw new Error('the start succeeded');
}

test('code and layers are mounted, limits and egress set, before the function is loaded', async () => {
  const { node, sandboxes } = makeNode();
  const order = orderOf({ memorySize: 256, cpu: 0.25, internetAccess: false });
  const layer = (digest: string) => ({ arn: digest, code: { owner: '1', digest, checksum: '0', size: 1 } });
  await node.start({ ...order, spec: { ...order.spec, layers: [layer('l1'), layer('l2')] } });
  const [sandbox] = sandboxes.all.values();
  assert.deepEqual(sandbox?.specialised, {
    mounts: [
      { source: '/cache/code1', target: '/code' },
      { source: '/cache/l1+l2', target: '/opt' },
    ],
    limits: { memoryMb: 256, cpu: 1, pids: 512, cpuWeight: 0.25 },
    internetAccess: false,
    account: '1234567890123456',
  });
  assert.deepEqual(sandbox?.limits, { memoryMb: 256, cpu: 0.25, pids: 512 }, 'once it is ready');
  assert.deepEqual(
    [sandbox?.spec.limits.cpu, sandbox?.spec.limits.cpuWeight],
    [1, 0.25],
    'boots with a full CPU, less urgently',
  );
});

test('a load error carries the payload of the runtime, and gives everything back', async () => {
  const { node, sandboxes, code } = makeNode();
  const error = { errorMessage: `Cannot find module 'x'`, errorType: 'Error', stackTrace: ['Error: ...'] };
  sandboxes.behaviour.load = () => {
    for (const sandbox of sandboxes.all.values()) sandbox.print('loading\n');
    return { ok: false, ms: 1, error };
  };
  const failure = await failureOf(node.start(orderOf()));
  assert.deepEqual(failure, {
    kind: 'load',
    message: error.errorMessage,
    payload: JSON.stringify(error),
    startLog: 'loading\n',
  });
  assert.equal(sandboxes.all.size, 0);
  assert.equal(code.held, 0);
  assert.equal(node.info().memoryUsedMb, 0);
});

test('an initializer that takes too long is an initialization error', async () => {
  const { node, sandboxes } = makeNode();
  sandboxes.behaviour.initialize = () => Promise.reject(new RuntimeTimeoutError('late'));
  const failure = await failureOf(node.start(orderOf({ initializer: { handler: 'index.init', timeout: 7 } })));
  assert.equal(failure.kind, 'initialization');
  assert.equal(failure.message, 'Function initialization timed out after 7 seconds (maxMemoryUsage: 3.00 MB)');
});

test('a module whose load never ends is given up, by name, as soon as the longest timeout the function has asked for', async () => {
  const { node, sandboxes } = makeNode();
  sandboxes.behaviour.load = () => Promise.reject(new RuntimeTimeoutError('late'));
  const table: [Parameters<typeof orderOf>[0], number][] = [
    [{ timeout: 3 }, 10],
    [{ timeout: 40 }, 40],
    [{ timeout: 40, initializer: { handler: 'index.init', timeout: 70 } }, 70],
    [{ timeout: 86_400 }, 120],
  ];
  for (const [config, seconds] of table) {
    const failure = await failureOf(node.start(orderOf(config)));
    assert.equal(failure.kind, 'load');
    assert.equal(
      failure.message,
      `Loading the code of the function timed out after ${seconds} seconds (maxMemoryUsage: 3.00 MB)`,
    );
  }
  assert.equal(sandboxes.all.size, 0);
});

test('a process that ends while it loads is told with duration and memory, out of memory by name', async () => {
  const { node, sandboxes } = makeNode();
  sandboxes.behaviour.load = () => {
    for (const sandbox of sandboxes.all.values()) sandbox.die({ reason: 'oom' });
    return new Promise(() => undefined);
  };
  const failure = await failureOf(node.start(orderOf()));
  assert.equal(failure.kind, 'load');
  assert.equal(
    failure.message,
    'Function instance ran out of memory before completing request (duration: 0ms, maxMemoryUsage: 3MB)',
  );
  assert.match(failure.payload ?? '', /FunctionOOMError/);
});

test('an absent runtime and a full machine are refused', async () => {
  const { node } = makeNode({ memoryMb: 200 });
  assert.equal((await failureOf(node.start(orderOf({ runtime: 'absent' })))).kind, 'platform');
  await node.start(orderOf());
  const failure = await failureOf(node.start(orderOf()));
  assert.equal(failure.kind, 'no-capacity');
  assert.match(failure.message, /128 of 200 MB are promised/);
  const short = makeNode({ freeMemoryMb: () => 10 });
  assert.equal((await failureOf(short.node.start(orderOf()))).kind, 'no-capacity');
});

test('the pre-stop hook runs before the end, and a hanging one is bounded', async () => {
  const { node, sandboxes } = makeNode();
  let ran = 0;
  sandboxes.behaviour.preStop = async () => {
    ran++;
    throw new RuntimeTimeoutError('late');
  };
  const order = orderOf({ preStop: { handler: 'index.preStop', timeout: 3 } });
  await node.start(order);
  await node.stop(order.instanceId);
  assert.equal(ran, 1);
  assert.equal(sandboxes.all.size, 0);
});

test('a restarted agent takes over ready instances and removes the rest', async () => {
  const first = makeNode();
  const kept = orderOf();
  const started = await first.node.start(kept);
  const halfDone = orderOf({ initializer: { handler: 'index.init', timeout: 3 } });
  first.sandboxes.behaviour.initialize = () => new Promise(() => undefined);
  void first.node.start(halfDone).catch(() => undefined);
  await settle();
  const died = orderOf();
  await first.node.start(died);
  for (const sandbox of first.sandboxes.all.values()) {
    if (sandbox.loads[0]?.env.FC_INSTANCE_ID === died.instanceId) sandbox.dead = true;
  }
  assert.equal(first.sandboxes.all.size, 3);

  const second = makeNode({}, first);
  await second.node.open();
  const { credentials: _, ...order } = kept;
  assert.deepEqual(await second.node.list(), [
    {
      instanceId: kept.instanceId,
      nodeId: 'node-1',
      spec: order.spec,
      address: started.address,
      source: started.source,
    },
  ]);
  assert.deepEqual(await second.node.start(kept), started, 'a repeated order finds it');
  assert.deepEqual(
    [...second.journal.records.values()].map((record) => record.order.instanceId),
    [kept.instanceId],
  );
  assert.equal(JSON.stringify([...second.journal.records]).includes('secret'), false);
  const exits: string[] = [];
  second.node.onExit((exit) => exits.push(`${exit.instanceId} ${exit.reason}`));
  await second.node.stop(kept.instanceId);
  assert.deepEqual(exits, [`${kept.instanceId} stopped`]);
  assert.equal(second.journal.records.size, 0);
  assert.equal(second.code.held, 0);
});

test('pressure of processors is told with the usage, and not by a machine that cannot tell or holds nothing', async () => {
  let cpu: CpuReading | undefined = { runnablePerCpu: 20, waiting: 0.9 };
  const { node, clock } = makeNode({ cpuReading: () => cpu });
  const told: NodePressure[] = [];
  node.onPressure((pressure) => told.push(pressure));
  await clock.advance(2_500);
  assert.deepEqual(told, []);
  await node.start(orderOf());
  await clock.advance(1_000);
  assert.deepEqual(told, [{ nodeId: node.info().nodeId, cpu }]);
  cpu = undefined;
  await clock.advance(2_000);
  assert.equal(told.length, 1);
  await node.drain();
});

test('usage of all instances comes about once a second', async () => {
  const { node, clock } = makeNode();
  const usages: InstanceUsage[] = [];
  node.onUsage((usage) => usages.push(usage));
  const [a, b] = [orderOf(), orderOf()];
  await node.start(a);
  await node.start(b);
  await clock.advance(2_500);
  assert.equal(usages.length, 4);
  assert.deepEqual(usages[0], {
    instanceId: usages[0]?.instanceId,
    memoryBytes: 2 ** 20,
    memoryPeakBytes: 3 * 2 ** 20,
    cpuMicros: 5,
  });
  await node.drain();
  await clock.advance(5_000);
  assert.equal(usages.length, 4);
});

test('draining ends everything and refuses starts', async () => {
  const { node, sandboxes } = makeNode();
  await node.start(orderOf());
  await node.drain();
  assert.equal(sandboxes.all.size, 0);
  assert.equal((await failureOf(node.start(orderOf()))).kind, 'platform');
});

test('freezing acts at once and in order; a stop thaws before the pre-stop hook, adoption thaws before it dials', async () => {
  const { node, sandboxes, journal } = makeNode();
  await node.freeze('c-unknown');
  await node.thaw('c-unknown');
  const order = orderOf({ preStop: { handler: 'index.stop', timeout: 3 } });
  await node.start(order);
  const [sandbox] = sandboxes.all.values();
  assert.ok(sandbox !== undefined);
  const frozen = node.freeze(order.instanceId);
  assert.equal(sandbox.frozen, true);
  const thawed = node.thaw(order.instanceId);
  assert.equal(sandbox.frozen, false);
  await Promise.all([frozen, thawed]);
  await node.freeze(order.instanceId);
  const next = makeNode({}, { sandboxes, journal });
  await next.node.open();
  assert.equal(sandbox.frozen, false);
  await next.node.freeze(order.instanceId);
  let duringHook: boolean | undefined;
  sandboxes.behaviour.preStop = async () => {
    duringHook = sandbox.frozen;
  };
  await next.node.stop(order.instanceId);
  assert.equal(duringHook, false);
});

test('shrinking trims, freezes, reclaims; a thaw meanwhile wins', async () => {
  const { node, sandboxes } = makeNode();
  const order = orderOf();
  await node.start(order);
  const [sandbox] = sandboxes.all.values();
  assert.ok(sandbox !== undefined);
  let frozenAtTrim: boolean | undefined;
  const trimming = Promise.withResolvers<void>();
  await node.freeze(order.instanceId);
  sandboxes.behaviour.trim = () => {
    frozenAtTrim = sandbox.frozen;
    return trimming.promise;
  };
  const first = node.shrink(order.instanceId);
  await settle();
  assert.equal(frozenAtTrim, false);
  await node.thaw(order.instanceId);
  trimming.resolve();
  await first;
  assert.deepEqual([sandbox.frozen, sandbox.reclaimed], [false, 0]);
  await node.shrink(order.instanceId);
  assert.deepEqual([sandbox.frozen, sandbox.reclaimed], [true, 1]);
});

test('a frozen instance is not asked for its health', async () => {
  const { node, sandboxes, clock } = makeNode();
  const check = {
    httpGetUrl: '/health',
    initialDelaySeconds: 0,
    periodSeconds: 1,
    timeoutSeconds: 1,
    failureThreshold: 2,
    successThreshold: 1,
  };
  const custom = { command: ['node'], args: [], port: 9000, healthCheckConfig: check };
  const order = orderOf({ runtime: 'custom', customRuntimeConfig: custom });
  const starting = node.start(order);
  await clock.advance(10);
  await starting;
  sandboxes.behaviour.health = () => ({ ok: false, detail: 'status code: 500' });
  await node.freeze(order.instanceId);
  await clock.advance(10_000);
  assert.equal(node.info().instances, 1);
  await node.thaw(order.instanceId);
  await clock.advance(10_000);
  assert.equal(node.info().instances, 0);
});

test('prepared code is in the cache and not held', async () => {
  const { node, code } = makeNode();
  await node.prepare(orderOf().spec);
  assert.deepEqual([code.asked, code.held], [1, 0]);
});

test('a node that ends makes no sandboxes any more for starts that wait for their turn', async () => {
  const { node, sandboxes } = makeNode({ startsAtOnce: 2 });
  const starting = Array.from({ length: 40 }, () => failureOf(node.start(orderOf())));
  await settle();
  const begun = sandboxes.created;
  await node.drain();
  const failures = await Promise.all(starting);
  assert.ok(begun <= 4, String(begun));
  assert.equal(sandboxes.created, begun);
  assert.ok(
    failures.every(({ message }) => /cancelled|shutting down/.test(message)),
    failures[0]?.message,
  );
  assert.equal(sandboxes.all.size, 0);
});

test('an instance runs while a session is open in it, and stands still again after the last one', async () => {
  const { node, sandboxes } = makeNode();
  const order = orderOf();
  await node.start(order);
  const [sandbox] = sandboxes.all.values();
  assert.ok(sandbox !== undefined);
  const request = { command: ['sh'], tty: false, stdin: false, columns: 80, rows: 24, env: {} };
  const ends: unknown[] = [];
  const listener = { output: () => true, drained() {}, ended: (end: unknown) => void ends.push(end) };
  await assert.rejects(node.exec('c-unknown', request, listener), { name: 'ExecRefusedError' });
  await node.freeze(order.instanceId);
  const first = await node.exec(order.instanceId, request, listener);
  assert.equal(sandbox.frozen, false);
  const second = await node.exec(order.instanceId, request, listener);
  await node.thaw(order.instanceId);
  await node.freeze(order.instanceId);
  assert.equal(sandbox.frozen, false, 'asked for during a session it waits');
  first.close();
  assert.equal(sandbox.frozen, false);
  second.close();
  await settle();
  assert.deepEqual([sandbox.frozen, ends.length], [true, 2]);
  await node.thaw(order.instanceId);
  const third = await node.exec(order.instanceId, request, listener);
  third.close();
  await settle();
  assert.equal(sandbox.frozen, false, 'what was not asked to stand still does not');
});
