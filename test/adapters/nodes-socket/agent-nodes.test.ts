import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { AgentConnection } from '../../../src/adapters/nodes-socket/agent-connection.ts';
import { AgentNodes } from '../../../src/adapters/nodes-socket/agent-nodes.ts';
import { peerProof, peerSecret } from '../../../src/adapters/nodes-socket/peer-proof.ts';
import { AgentServer } from '../../../src/apps/agent/agent-server.ts';
import { silentLogger } from '../../../src/core/base/log.ts';
import type { InstanceExit } from '../../../src/core/domain/instance.ts';
import { nodePoolSuite } from '../../../src/core/ports/node-pool.suite.ts';
import {
  InstanceStartError,
  type InstanceUsage,
  type NodePool,
  type NodePressure,
} from '../../../src/core/ports/node-pool.ts';
import { AGENT_FRAME, type AgentAnswer, type AgentRequest } from '../../../src/core/protocol/agent-messages.ts';
import { encodeJsonFrame, FrameDecoder } from '../../../src/core/protocol/frame-codec.ts';
import type { NodeService, NodeServiceOptions } from '../../../src/services/node/node-service.ts';
import { type FakeNode, makeNode } from '../../services/node/fake-node.ts';
import { harnessOver, sandboxOf } from '../../services/node/fake-pool-harness.ts';
import { countingRandom, orderOf, settle } from '../../services/node/fakes.ts';
import { waitingClock } from '../waiting-clock.ts';

const SECRET = peerSecret(Buffer.alloc(32, 7));
const OTHER_SECRET = peerSecret(Buffer.alloc(32, 8));

function socketPath(): { path: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'ns-'));
  return { path: join(folder, 'agent.sock'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

async function serve(path: string, node: NodeService): Promise<AgentServer> {
  const server = new AgentServer({
    path,
    node,
    secret: SECRET,
    random: countingRandom(),
    clock: waitingClock,
    log: silentLogger,
  });
  await server.listen();
  return server;
}

function connect(path: string, options: { epoch?: number; patienceMs?: number; secret?: Uint8Array } = {}): AgentNodes {
  return new AgentNodes({
    path,
    epoch: options.epoch ?? 1,
    patienceMs: options.patienceMs ?? 10_000,
    secret: options.secret ?? SECRET,
    clock: waitingClock,
    random: countingRandom(),
    log: silentLogger,
  });
}

function up(pool: NodePool): Promise<void> {
  return new Promise((resolve) => {
    pool.onNodeUp(() => resolve());
  });
}

/** Everything the agent has sent so far was received: answers come in order. */
async function caughtUp(pool: NodePool): Promise<void> {
  await settle();
  await pool.list();
}

nodePoolSuite('agent nodes', async () => {
  const { path, remove } = socketPath();
  const { node, sandboxes } = makeNode({}, { clock: waitingClock });
  const server = await serve(path, node);
  const pool = connect(path);
  await up(pool);
  return harnessOver(pool, sandboxes, {
    settled: () => caughtUp(pool),
    async close() {
      await pool.close();
      await node.drain();
      await server.close();
      remove();
    },
  });
});

interface Restartable {
  readonly path: string;
  readonly fake: FakeNode;
  readonly pool: AgentNodes;
  readonly exits: InstanceExit[];
  /** The agent dies; its sandboxes live on. */
  die(): Promise<void>;
  /** A new agent takes over what still runs. */
  rise(): Promise<FakeNode>;
}

async function restartable(
  context: TestContext,
  patienceMs = 10_000,
  options: Partial<NodeServiceOptions> = {},
): Promise<Restartable> {
  const { path, remove } = socketPath();
  let fake = makeNode(options, { clock: waitingClock });
  let server = await serve(path, fake.node);
  const pool = connect(path, { patienceMs });
  const exits: InstanceExit[] = [];
  pool.onExit((exit) => exits.push(exit));
  await up(pool);
  context.after(async () => {
    await pool.close();
    await fake.node.drain();
    await server.close();
    remove();
  });
  return {
    path,
    fake,
    pool,
    exits,
    async die() {
      await fake.node.close();
      await server.close();
    },
    async rise() {
      fake = makeNode({}, { sandboxes: fake.sandboxes, journal: fake.journal, clock: waitingClock });
      await fake.node.open();
      server = await serve(path, fake.node);
      return fake;
    },
  };
}

test('requests made while the agent is away wait for it', async (context) => {
  const { pool, die, rise } = await restartable(context);
  await die();
  const starting = pool.start(orderOf());
  const listing = pool.list();
  await settle();
  await rise();
  const started = await starting;
  assert.ok((await listing).length <= 1);
  assert.deepEqual(
    (await pool.list()).map((found) => found.instanceId),
    [started.instanceId],
  );
});

test('a start that the agent had finished when it died is found, not repeated', async (context) => {
  const { fake, pool, die, rise } = await restartable(context);
  const order = orderOf();
  // The agent finishes the start, but dies before anybody hears of it.
  await fake.node.start(order);
  await die();
  const starting = pool.start(order);
  await rise();
  assert.equal((await starting).instanceId, order.instanceId);
  assert.equal(fake.sandboxes.created, 1);
});

test('what ended while the agent was away exits exactly once, what was asked for with its reason', async (context) => {
  const { fake, pool, exits, die, rise } = await restartable(context);
  const [kept, crashed, killed] = [orderOf(), orderOf(), orderOf()];
  for (const order of [kept, crashed, killed]) await pool.start(order);
  await die();
  sandboxOf(fake.sandboxes, crashed.instanceId).dead = true;
  sandboxOf(fake.sandboxes, killed.instanceId).dead = true;
  const killing = pool.kill(killed.instanceId, 'timeout');
  await rise();
  await killing;
  await caughtUp(pool);
  assert.deepEqual(exits.map((exit) => `${exit.instanceId} ${exit.reason}`).sort(), [
    `${crashed.instanceId} crash`,
    `${killed.instanceId} timeout`,
  ]);
  await pool.stop(kept.instanceId);
  assert.equal(exits.length, 3);
});

test('an agent that stays away fails what waits, and its node is gone', async (context) => {
  const { pool, die } = await restartable(context, 50);
  assert.equal(pool.nodes().length, 1);
  await die();
  await assert.rejects(pool.start(orderOf()), (error: unknown) => {
    assert.ok(error instanceof InstanceStartError);
    assert.equal(error.failure.kind, 'platform');
    assert.match(error.failure.message, /did not come back within 50 ms/);
    return true;
  });
  await assert.rejects(pool.stop('c-1'), /did not come back/);
  assert.deepEqual(pool.nodes(), []);
});

test('a server that comes late learns the true reasons of exits it missed only for what it knew', async (context) => {
  const { fake, pool, exits, path } = await restartable(context);
  const order = orderOf();
  await pool.start(order);
  sandboxOf(fake.sandboxes, order.instanceId).die({ reason: 'oom' });
  await caughtUp(pool);
  assert.deepEqual(
    exits.map((exit) => exit.reason),
    ['oom'],
  );
  const late = connect(path, { epoch: 2 });
  const seen: InstanceExit[] = [];
  late.onExit((exit) => seen.push(exit));
  await up(late);
  assert.deepEqual(seen, []);
  await late.close();
});

test('of two servers the newer one decides; the older may still kill what ran out of time', async (context) => {
  const { pool, path, exits } = await restartable(context);
  const order = orderOf();
  await pool.start(order);
  const newer = connect(path, { epoch: 2 });
  await up(newer);
  assert.equal((await newer.list()).length, 1);
  await assert.rejects(pool.start(orderOf()), /a newer server has taken over/);
  await assert.rejects(pool.stop(order.instanceId), /a newer server has taken over/);
  await pool.kill(order.instanceId, 'timeout');
  await caughtUp(newer);
  assert.deepEqual(
    exits.map((exit) => exit.reason),
    ['timeout'],
  );
  await newer.close();
});

test('a long list comes whole, and usage of all instances in one batch', async (context) => {
  const { pool } = await restartable(context);
  const environmentVariables = { BIG: 'x'.repeat(200_000) };
  const orders = Array.from({ length: 12 }, () => orderOf({ environmentVariables, memorySize: 128 }));
  await Promise.all(orders.map((order) => pool.start(order)));
  const found = await pool.list();
  assert.deepEqual(new Set(found.map((one) => one.instanceId)), new Set(orders.map((order) => order.instanceId)));
  assert.equal(found[0]?.spec.config.environmentVariables.BIG?.length, 200_000);
  const usages = await new Promise<InstanceUsage[]>((resolve) => {
    const seen: InstanceUsage[] = [];
    pool.onUsage((usage) => {
      seen.push(usage);
      if (seen.length === orders.length) resolve(seen);
    });
  });
  assert.equal(new Set(usages.map((usage) => usage.instanceId)).size, orders.length);
});

test('pressure of processors reaches the server', async (context) => {
  const cpu = { runnablePerCpu: 21.5, waiting: 0.75 };
  const { pool } = await restartable(context, 10_000, { cpuReading: () => cpu });
  await pool.start(orderOf());
  const told = await new Promise<NodePressure>((resolve) => pool.onPressure(resolve));
  assert.deepEqual(told, { nodeId: pool.nodes()[0]?.nodeId, cpu });
});

test('an agent of another installation is told nothing', async (context) => {
  const { path, remove } = socketPath();
  context.after(remove);
  const asked: unknown[] = [];
  const impostor = createServer((socket) => {
    const decoder = new FrameDecoder((_type, stream, payload) => {
      const request = JSON.parse(payload.toString()) as AgentRequest;
      asked.push(request.op);
      if (request.op !== 'prove') return;
      const nonces = { server: request.nonce, agent: 'n' };
      const answer = { ok: true, op: 'prove', nonce: 'n', proof: peerProof(OTHER_SECRET, 'agent', nonces) };
      socket.write(encodeJsonFrame(AGENT_FRAME.answer, stream, answer));
    });
    socket.on('data', (chunk) => decoder.push(chunk));
  });
  impostor.listen(path);
  await once(impostor, 'listening');
  const pool = connect(path, { patienceMs: 100 });
  await assert.rejects(pool.start(orderOf()), InstanceStartError);
  assert.deepEqual([...new Set(asked)], ['prove']);
  await pool.close();
  impostor.close();
});

test('a server of another installation gets no further than its hello', async (context) => {
  const { pool, path } = await restartable(context);
  const stranger = connect(path, { epoch: 99, patienceMs: 100, secret: OTHER_SECRET });
  context.after(() => stranger.close());
  await assert.rejects(stranger.list());
  await pool.start(orderOf()); // its epoch has not put the true server out of office
});

test('what speaks without a proof is answered with a refusal', async (context) => {
  const { path } = await restartable(context);
  const answers: AgentAnswer[] = [];
  const answered = Promise.withResolvers<void>();
  const connection = await AgentConnection.open(path, {
    onAnswer: (_stream, answer) => {
      answers.push(answer);
      if (answers.length === 3) answered.resolve();
    },
    onEvent: () => assert.fail('it hears of nothing'),
    onClose: () => undefined,
  });
  connection.send(1, { op: 'list' });
  connection.send(2, { op: 'hello', epoch: 5, proof: '' });
  connection.send(3, { op: 'kill', instanceId: 'c', reason: 'timeout' });
  await answered.promise;
  connection.close();
  assert.deepEqual(
    answers.map(({ ok }) => ok),
    [false, false, false],
  );
});
