import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceExit } from '../domain/instance.ts';
import { InstanceStartError, type InstanceOutput, type NodePool, type StartOrder } from './node-pool.ts';

/** A node pool under test and the hands to move what is behind it. */
export interface NodePoolHarness {
  readonly pool: NodePool;
  /** An order for a new instance id. `fails`: its initializer fails; `hangs`: its initializer never ends. */
  order(kind: 'starts' | 'fails' | 'hangs'): StartOrder;
  /** Ends the main process of an instance as its own code would. */
  crash(instanceId: string): void;
  /** Makes an instance write text to its standard output. */
  print(instanceId: string, text: string): void;
  /** Resolves once the pool has been told of everything that happened so far. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** What every node pool promises, whatever holds the machines. `make` gives a fresh pool with one empty node. */
export function nodePoolSuite(name: string, make: () => Promise<NodePoolHarness>): void {
  const check = (what: string, body: (harness: NodePoolHarness, exits: InstanceExit[]) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const harness = await make();
      const exits: InstanceExit[] = [];
      harness.pool.onExit((exit) => exits.push(exit));
      try {
        await body(harness, exits);
      } finally {
        await harness.close();
      }
    });
  };

  check('a started instance has an address, is listed, and counts on its node', async ({ pool, order }) => {
    const wanted = order('starts');
    const started = await pool.start(wanted);
    assert.equal(started.instanceId, wanted.instanceId);
    assert.equal(started.address.kind, 'frames');
    assert.match(started.timings.from, /^(pool|scratch)$/);
    const [found, ...others] = await pool.list();
    assert.deepEqual(others, []);
    assert.deepEqual(found, {
      instanceId: started.instanceId,
      nodeId: started.nodeId,
      spec: wanted.spec,
      address: started.address,
      ...(started.source === undefined ? {} : { source: started.source }),
    });
    assert.equal(pool.sourceOf(started.instanceId), started.source);
    assert.equal(pool.sourceOf('c-unknown'), undefined);
    assert.deepEqual(
      pool.nodes().map((node) => node.nodeId),
      [started.nodeId],
    );
  });

  check('the same order twice is one instance', async ({ pool, order }) => {
    const wanted = order('starts');
    const [first, second] = await Promise.all([pool.start(wanted), pool.start(wanted)]);
    assert.deepEqual(first, second);
    assert.deepEqual(await pool.start(wanted), first);
    assert.equal((await pool.list()).length, 1);
  });

  check('a failed start says why, leaves nothing, and has no exit', async ({ pool, order, settled }, exits) => {
    await assert.rejects(pool.start(order('fails')), (error: unknown) => {
      assert.ok(error instanceof InstanceStartError);
      assert.equal(error.failure.kind, 'initialization');
      assert.match(error.failure.payload ?? '', /errorMessage/);
      return true;
    });
    await settled();
    assert.deepEqual(await pool.list(), []);
    assert.deepEqual(exits, []);
  });

  check('a stopped instance exits once, and stopping again is no error', async ({ pool, order, settled }, exits) => {
    const { instanceId } = await pool.start(order('starts'));
    await Promise.all([pool.stop(instanceId), pool.stop(instanceId)]);
    await pool.stop(instanceId);
    await settled();
    assert.equal(pool.sourceOf(instanceId), undefined);
    assert.deepEqual(
      exits.map((exit) => [exit.instanceId, exit.reason]),
      [[instanceId, 'stopped']],
    );
    assert.deepEqual(await pool.list(), []);
  });

  check('a killed instance exits once with the reason given', async ({ pool, order, settled }, exits) => {
    const { instanceId } = await pool.start(order('starts'));
    await Promise.all([pool.kill(instanceId, 'timeout'), pool.stop(instanceId)]);
    await pool.kill('c-unknown', 'killed');
    await settled();
    assert.deepEqual(
      exits.map((exit) => [exit.instanceId, exit.reason]),
      [[instanceId, 'timeout']],
    );
  });

  check('a crash is announced once, with the last output', async ({ pool, order, crash, print, settled }, exits) => {
    const { instanceId } = await pool.start(order('starts'));
    print(instanceId, 'last words\n');
    await settled();
    crash(instanceId);
    await settled();
    await pool.stop(instanceId);
    await settled();
    assert.deepEqual(
      exits.map((exit) => [exit.instanceId, exit.reason]),
      [[instanceId, 'crash']],
    );
    assert.match(exits[0]?.lastOutput ?? '', /last words/);
  });

  check('stopping a start under way makes it fail', async ({ pool, order, settled }, exits) => {
    const wanted = order('hangs');
    const starting = assert.rejects(pool.start(wanted), InstanceStartError);
    await settled();
    await pool.stop(wanted.instanceId);
    await starting;
    await settled();
    assert.deepEqual(exits, []);
    assert.deepEqual(await pool.list(), []);
  });

  check('output arrives as whole lines of the right instance', async ({ pool, order, print, settled }) => {
    const outputs: InstanceOutput[] = [];
    pool.onOutput((output) => outputs.push(output));
    const one = await pool.start(order('starts'));
    const two = await pool.start(order('starts'));
    print(one.instanceId, 'a\nb\nhalf');
    print(two.instanceId, 'x\n');
    print(one.instanceId, ' a line\n');
    await settled();
    const of = (id: string) => outputs.filter((output) => output.instanceId === id).map((output) => output.text);
    assert.deepEqual(of(one.instanceId).join('\n').split('\n'), ['a', 'b', 'half a line']);
    assert.deepEqual(of(two.instanceId), ['x']);
  });

  check('a listener hears of a node that is up', async ({ pool }) => {
    const names: string[] = [];
    pool.onNodeUp((node) => names.push(node.nodeId));
    assert.equal(names.length, 1);
  });

  check('many starts at once each give their own instance', async ({ pool, order }) => {
    const orders = Array.from({ length: 20 }, () => order('starts'));
    const started = await Promise.all(orders.map((one) => pool.start(one)));
    assert.deepEqual(
      started.map((one) => one.instanceId),
      orders.map((one) => one.instanceId),
    );
    assert.equal((await pool.list()).length, 20);
  });
}
