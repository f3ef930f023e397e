import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AliasRecord } from '../../../src/core/domain/function.ts';
import type { ReservedConfigRecord, TrackingPolicy } from '../../../src/core/domain/reserved-config.ts';
import type { VersionSpec } from '../../../src/core/domain/version-spec.ts';
import { InstanceStartError } from '../../../src/core/ports/node-pool.ts';
import type { Lease } from '../../../src/core/ports/scheduling.ts';
import { createReservedInstances, createScheduling, ServingCatalog } from '../../../src/services/scheduler/index.ts';
import { ACCOUNT, World } from './world.ts';

/** Scheduling, reserved instances and the catalog that calls see, over a world in memory. */
class ReservedWorld extends World {
  readonly records = new Map<string, ReservedConfigRecord>();
  readonly serving = new ServingCatalog(this.catalog);
  readonly scheduling;
  readonly reserved;

  constructor(limits = {}) {
    super();
    this.scheduling = createScheduling({ ...this.parts(), epoch: 3, limits });
    this.reserved = createReservedInstances({
      configs: {
        of: async (_account, name) => [...this.records.values()].filter((record) => record.functionName === name),
        owners: async () => [...this.records.values()],
      },
      catalog: this.catalog,
      serving: this.serving,
      capacity: this.scheduling.reserved,
      pool: this.pool,
      clock: this.clock,
      logger: this.logger,
    });
  }

  async start(): Promise<this> {
    await this.scheduling.start();
    await this.reserved.start();
    return this;
  }

  async stop(): Promise<void> {
    this.reserved.dispose();
    await this.scheduling.close();
  }

  /** Puts a config as control would. */
  config(more: Partial<ReservedConfigRecord>): ReservedConfigRecord {
    const record: ReservedConfigRecord = {
      account: ACCOUNT,
      functionName: 'f',
      qualifier: 'LATEST',
      kind: 'provision',
      defaultTarget: 0,
      alwaysAllocateCPU: false,
      onDemand: true,
      requestDispatchPolicy: '',
      scheduled: [],
      tracking: [],
      lastModifiedTime: 0,
      ...more,
    };
    this.records.set(record.qualifier, record);
    this.catalog.patch('f', {});
    return record;
  }

  /** What a call resolves to now. */
  async head(): Promise<VersionSpec> {
    const spec = await this.serving.spec(ACCOUNT, 'f', 'LATEST');
    assert.ok(spec);
    return spec;
  }

  ready(spec: VersionSpec): number {
    const all = this.scheduling.instances(ACCOUNT, 'f');
    return all.filter(({ versionKey, state, reserved }) => versionKey === spec.key && state === 'ready' && reserved)
      .length;
  }
}

test('a config is followed from put to delete', async () => {
  const world = await new ReservedWorld().start();
  const spec = world.catalog.put('f');
  const config = world.config({ defaultTarget: 2 });
  assert.deepEqual(world.reserved.status(config), { target: 2, current: 0, error: '' });
  await world.clock.advance(150);
  assert.deepEqual(world.reserved.status(config), { target: 2, current: 2, error: '' });
  assert.equal(world.scheduling.acquireNow(spec, 'r')?.timings.cold, false);
  await world.clock.advance(3_600_000);
  assert.equal(world.ready(spec), 2);
  world.records.clear();
  world.catalog.patch('f', {});
  await world.clock.advance(50);
  assert.equal(world.ready(spec), 0);
  assert.equal(world.pool.stops.length, 1, 'the busy one finishes its call first');
  await world.stop();
});

describe('an update', () => {
  test('makes the new instances ready before the old ones go', async () => {
    const world = await new ReservedWorld().start();
    const old = world.catalog.put('f');
    const config = world.config({ defaultTarget: 2 });
    await world.clock.advance(200);
    const next = world.catalog.put('f');
    for (let waited = 0; waited < 90; waited += 10) {
      assert.equal((await world.head()).key, old.key);
      const lease = world.scheduling.acquireNow(await world.head(), 'r');
      assert.ok(lease, 'no cold call');
      lease.release('ok');
      await world.clock.advance(10);
    }
    await world.clock.advance(60);
    assert.equal((await world.head()).key, next.key);
    assert.ok(world.scheduling.acquireNow(await world.head(), 'r'));
    // A call that was on its way to the old ones still finds them.
    assert.ok(world.scheduling.acquireNow(old, 'r'));
    assert.deepEqual(world.reserved.status(config), { target: 2, current: 2, error: '' });
    await world.clock.advance(2_000);
    assert.deepEqual([world.ready(old), world.ready(next)], [0, 2]);
    await world.stop();
  });

  test('that does not start is switched to, and its error is told', async () => {
    const world = await new ReservedWorld().start();
    const old = world.catalog.put('f');
    const config = world.config({ defaultTarget: 1 });
    await world.clock.advance(200);
    const failure = { kind: 'load' as const, message: 'a syntax error', startLog: '' };
    world.pool.fail = ({ spec }) => (spec.key === old.key ? undefined : new InstanceStartError(failure));
    const next = world.catalog.put('f');
    await world.clock.advance(300);
    assert.equal((await world.head()).key, next.key);
    assert.deepEqual(world.reserved.status(config), { target: 1, current: 0, error: 'a syntax error' });
    await world.stop();
  });

  test('without room for both replaces them one by one', async () => {
    const world = await new ReservedWorld({ instancesPerAccount: 4 }).start();
    const old = world.catalog.put('f');
    world.config({ defaultTarget: 4 });
    await world.clock.advance(200);
    assert.equal(world.ready(old), 4);
    const next = world.catalog.put('f');
    for (let waited = 0; waited < 8_000; waited += 20) {
      await world.clock.advance(20);
      assert.ok(world.scheduling.instances(ACCOUNT, 'f').length <= 4);
      const lease = world.scheduling.acquireNow(await world.head(), 'r');
      assert.ok(lease, `no cold call after ${waited} ms`);
      lease.release('ok');
    }
    assert.deepEqual([world.ready(old), world.ready(next)], [0, 4]);
    await world.stop();
  });
});

describe('an alias', () => {
  function alias(versionId: string, additionalVersionWeight: Record<string, number> = {}): AliasRecord {
    const times = { createdTime: 0, lastModifiedTime: 0 };
    return {
      account: ACCOUNT,
      functionName: 'f',
      aliasName: 'prod',
      versionId,
      description: '',
      additionalVersionWeight,
      ...times,
    };
  }

  test('shares its target by weight, and moves without a cold call', async () => {
    const world = await new ReservedWorld().start();
    world.catalog.put('f');
    const v1 = world.catalog.publish('f', '1');
    const v2 = world.catalog.publish('f', '2');
    world.catalog.aliases.set('f/prod', alias('1'));
    const config = world.config({ qualifier: 'prod', defaultTarget: 5 });
    await world.clock.advance(200);
    assert.deepEqual([world.ready(v1), world.ready(v2)], [5, 0]);
    world.catalog.aliases.set('f/prod', alias('1', { 2: 0.4 }));
    world.catalog.patch('f', {});
    await world.clock.advance(3_000);
    assert.deepEqual([world.ready(v1), world.ready(v2)], [3, 2]);
    world.catalog.aliases.set('f/prod', alias('2'));
    world.catalog.patch('f', {});
    assert.deepEqual((await world.serving.alias(ACCOUNT, 'f', 'prod'))?.versionId, '1', 'not before all are ready');
    await world.clock.advance(3_000);
    assert.deepEqual((await world.serving.alias(ACCOUNT, 'f', 'prod'))?.versionId, '2');
    assert.deepEqual([world.ready(v1), world.ready(v2)], [0, 5]);
    assert.equal(world.reserved.status(config).current, 5);
    await world.stop();
  });

  test('and another on the same version have their instances each', async () => {
    const world = await new ReservedWorld().start();
    world.catalog.put('f');
    const v1 = world.catalog.publish('f', '1');
    for (const name of ['a', 'b']) world.catalog.aliases.set(`f/${name}`, { ...alias('1'), aliasName: name });
    const a = world.config({ qualifier: 'a', defaultTarget: 2 });
    const b = world.config({ qualifier: 'b', defaultTarget: 3 });
    await world.clock.advance(200);
    assert.equal(world.ready(v1), 5);
    assert.deepEqual([world.reserved.status(a).current, world.reserved.status(b).current], [2, 3]);
    await world.stop();
  });
});

test('schedules fire on time, to the second', async () => {
  const world = await new ReservedWorld().start();
  const spec = world.catalog.put('f');
  const at = new Date(Math.ceil(world.clock.now() / 1_000) * 1_000 + 90_000);
  const policy = { name: 'up', target: 3, startTime: '', endTime: '', timeZone: '', since: world.clock.now() };
  const expression = `at(${at.toISOString().slice(0, 19)})`;
  const config = world.config({ defaultTarget: 1, scheduled: [{ ...policy, scheduleExpression: expression }] });
  await world.clock.advance(at.getTime() - world.clock.now() - 20);
  assert.deepEqual([world.reserved.status(config).target, world.ready(spec)], [1, 1]);
  await world.clock.advance(20 + 150);
  assert.deepEqual([world.reserved.status(config).target, world.ready(spec)], [3, 3]);
  await world.stop();
});

test('target tracking grows with the calls in flight and shrinks after a calm', async () => {
  const world = await new ReservedWorld().start();
  const spec = world.catalog.put('f');
  const policy: TrackingPolicy = {
    name: 't',
    metricType: 'ProvisionedConcurrencyUtilization',
    metricTarget: 0.5,
    min: 1,
    max: 6,
    startTime: '',
    endTime: '',
    timeZone: '',
  };
  const config = world.config({ defaultTarget: 0, tracking: [policy] });
  await world.clock.advance(500);
  assert.equal(world.ready(spec), 1);
  const leases: Lease[] = [];
  const call = (): void => {
    const lease = world.scheduling.acquireNow(spec, 'r');
    assert.ok(lease);
    leases.push(lease);
  };
  call();
  await world.clock.advance(12_000);
  assert.equal(world.ready(spec), 2, 'one of two busy is the target');
  call();
  await world.clock.advance(12_000);
  assert.equal(world.ready(spec), 4);
  call();
  await world.clock.advance(12_000);
  assert.equal(world.ready(spec), 6);
  for (const lease of leases) lease.release('ok');
  await world.clock.advance(600_000);
  assert.ok(world.ready(spec) <= 2, `${world.ready(spec)} are left`);
  assert.equal(world.reserved.status(config).current, world.ready(spec));
  await world.stop();
});

test('CPU utilisation is measured against what is configured', async () => {
  const world = await new ReservedWorld().start();
  const spec = world.catalog.put('f', { cpu: 0.5 });
  const window = { startTime: '', endTime: '', timeZone: '' };
  world.config({
    tracking: [{ name: 't', metricType: 'CPUUtilization', metricTarget: 0.5, min: 1, max: 4, ...window }],
  });
  await world.clock.advance(500);
  for (let second = 0; second < 20; second++) {
    for (const { instanceId } of world.scheduling.instances(ACCOUNT, 'f')) {
      // Half a CPU: all that is configured.
      world.pool.use(instanceId, 1, second * 500_000);
    }
    await world.clock.advance(1_000);
  }
  assert.equal(world.ready(spec), 4);
  await world.stop();
});

test('a new server counts what runs already', async () => {
  const world = new ReservedWorld();
  const spec = world.catalog.put('f');
  const address = (id: string) => ({ kind: 'frames' as const, path: id });
  world.pool.found = ['c-1', 'c-2'].map((instanceId) => ({
    instanceId,
    nodeId: 'node',
    spec,
    address: address(instanceId),
  }));
  const config = world.config({ defaultTarget: 2 });
  await world.start();
  assert.deepEqual(world.reserved.status(config), { target: 2, current: 2, error: '' });
  assert.equal(world.pool.orders.length, 0);
  await world.stop();
});

test('a new server takes target tracking up where it stands: instances found running are its target until a calm', async () => {
  const world = new ReservedWorld();
  const spec = world.catalog.put('f');
  const address = (id: string) => ({ kind: 'frames' as const, path: id });
  world.pool.found = ['c-1', 'c-2', 'c-3', 'c-4'].map((instanceId) => ({
    instanceId,
    nodeId: 'node',
    spec,
    address: address(instanceId),
  }));
  const window = { startTime: '', endTime: '', timeZone: '' };
  const policy = { name: 't', metricType: 'ProvisionedConcurrencyUtilization' as const, metricTarget: 0.5, ...window };
  const config = world.config({ tracking: [{ ...policy, min: 1, max: 6 }] });
  await world.start();
  assert.deepEqual(world.reserved.status(config), { target: 4, current: 4, error: '' });
  await world.clock.advance(30_000);
  assert.equal(world.ready(spec), 4, 'a restart is no calm');
  assert.equal(world.pool.orders.length, 0);
  await world.clock.advance(600_000);
  assert.equal(world.ready(spec), 1, 'a calm is');
  await world.stop();
});

test('what a limit keeps back is told', async () => {
  const world = await new ReservedWorld({ instancesPerAccount: 1 }).start();
  world.catalog.put('f');
  const config = world.config({ defaultTarget: 2 });
  await world.clock.advance(200);
  const { current, error } = world.reserved.status(config);
  assert.equal(current, 1);
  assert.match(error, /^the account uses all of its instances/);
  await world.stop();
});

/** Whether the one instance stands still. */
function frozen(world: World): boolean {
  return world.pool.pauses.at(-1)?.[0] === 'freeze';
}

test('instances that keep their CPU are not frozen, the others are', async () => {
  for (const alwaysAllocateCPU of [false, true]) {
    const world = await new ReservedWorld().start();
    world.catalog.put('f');
    const config = world.config({ defaultTarget: 1, alwaysAllocateCPU });
    await world.clock.advance(1_000);
    assert.equal(frozen(world), !alwaysAllocateCPU);
    world.config({ ...config, alwaysAllocateCPU: !alwaysAllocateCPU });
    await world.clock.advance(1_000);
    assert.equal(frozen(world), alwaysAllocateCPU);
    await world.stop();
  }
});
