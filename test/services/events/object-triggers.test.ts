import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import type { OssTriggerConfig } from '../../../src/core/domain/trigger.ts';
import { settle, SimulatedWorld } from './simulated-world.ts';

const onObjects = (config: Partial<OssTriggerConfig> = {}): OssTriggerConfig => ({
  type: 'oss',
  bucket: 'videos',
  events: ['oss:ObjectCreated:*'],
  prefix: '',
  suffix: '',
  ...config,
});

async function started(...configs: Partial<OssTriggerConfig>[]): Promise<SimulatedWorld> {
  const world = new SimulatedWorld('2024-05-01T10:00:00Z');
  for (const [n, config] of configs.entries()) world.setTrigger(world.record(`o${n}`, onObjects(config)));
  await world.start();
  return world;
}

const delivered = (world: SimulatedWorld) => world.accepted.map((command) => command.dedupId);

describe('object triggers', () => {
  it('hand an event on with the documented payload, then acknowledge it', async () => {
    const world = await started({});
    world.putObject({
      sequence: 7,
      key: 'source/ä b.png',
      deltaSize: 3,
      userMeta: { k: 'v' },
      contentType: 'image/png',
    });
    await settle();
    assert.deepEqual(world.payloads(), [
      {
        events: [
          {
            eventName: 'ObjectCreated:PutObject',
            eventSource: 'acs:oss',
            eventTime: '2024-05-01T10:00:00.000Z',
            eventVersion: '1.0',
            oss: {
              bucket: { arn: 'acs:oss:local:acct:videos', name: 'videos', ownerIdentity: 'acct' },
              object: {
                deltaSize: 3,
                eTag: '688A7BF4F233DC9C88A80BF985AB7329',
                key: 'source/ä b.png',
                objectMeta: { mimeType: 'image/png', userMeta: { 'x-oss-meta-k': 'v' } },
                size: 10,
              },
              ossSchemaVersion: '1.0',
              ruleId: 'id-o0',
            },
            region: 'local',
            requestParameters: { sourceIPAddress: '1.2.3.4' },
            responseElements: { requestId: 'w1' },
            userIdentity: { principalId: 'acct' },
          },
        ],
      },
    ]);
    assert.deepEqual(delivered(world), ['id-o0:7']);
    assert.deepEqual(world.outbox, []);
    await world.stop();
  });

  it('fire for what their filters ask for, and nothing else', async () => {
    const world = await started(
      { prefix: 'in/', suffix: '.mp4' },
      { events: ['oss:ObjectRemoved:DeleteObject'] },
      { events: ['oss:ObjectCreated:CopyObject', 'oss:ObjectRemoved:*'] },
      { bucket: 'other' },
    );
    world.putObject({ sequence: 1, key: 'in/a.mp4' });
    world.putObject({ sequence: 2, key: 'out/a.mp4' });
    world.putObject({ sequence: 3, key: 'in/a.png' });
    world.putObject({ sequence: 4, eventName: 'ObjectRemoved:DeleteObject' });
    world.putObject({ sequence: 5, eventName: 'ObjectRemoved:DeleteObjects' });
    world.putObject({ sequence: 6, eventName: 'ObjectCreated:CopyObject', key: 'x' });
    world.putObject({ sequence: 7, bucket: 'unknown' });
    await settle();
    assert.deepEqual(new Set(delivered(world)), new Set(['id-o0:1', 'id-o1:4', 'id-o2:4', 'id-o2:5', 'id-o2:6']));
    assert.deepEqual(world.outbox, [], 'events that nobody asked for are acknowledged as well');
    await world.stop();
  });

  it('follow triggers that come and go', async () => {
    const world = await started();
    world.putObject({ sequence: 1 });
    await world.clock.runTo('2024-05-01T10:00:01Z');
    world.setTrigger(world.record('late', onObjects()));
    world.putObject({ sequence: 2 });
    await settle();
    world.removeTrigger('late');
    world.putObject({ sequence: 3 });
    await settle();
    assert.deepEqual(delivered(world), ['id-late:2']);
    await world.stop();
  });

  it('an event from before the trigger is none of its events', async () => {
    const world = await started();
    await world.stop();
    world.putObject({ sequence: 1 });
    world.clock.jumpTo('2024-05-01T11:00:00Z');
    world.setTrigger(world.record('o', onObjects()));
    world.putObject({ sequence: 2 });
    await world.start();
    assert.deepEqual(delivered(world), ['id-o:2']);
    await world.stop();
  });

  it("a trigger on another account's bucket never fires", async () => {
    const world = await started({});
    world.buckets.set('videos', 'someone-else');
    world.putObject({ sequence: 1 });
    await settle();
    assert.deepEqual(world.accepted, []);
    await world.stop();
  });

  it('what a function writes descends from it, or from whoever made the trigger when that chain is longer', async () => {
    const world = await started({});
    const of = (hops: number) => ({ hops, rootRequestId: `root-${hops}`, cause: 'object' }) as const;
    const written = (sequence: number, hops: number) =>
      world.putObject({
        sequence,
        context: { account: 'acct', requestId: 'w', sourceIp: '::1', lineage: of(hops) },
      });
    written(1, 3);
    // far above the limit as well: whether it runs is for dispatch to say, which keeps the event
    written(2, LIMITS.hopsDefault + 1);
    await settle();
    assert.deepEqual(
      world.accepted.map((command) => command.lineage),
      [of(3), of(LIMITS.hopsDefault + 1)],
    );
    assert.deepEqual(world.ended, []);
    assert.deepEqual(world.outbox, []);
    await world.stop();
  });

  it('events of a trigger that a function made descend from that function', async () => {
    const world = new SimulatedWorld('2024-05-01T10:00:00Z');
    const made = { hops: 5, rootRequestId: 'maker', cause: 'call' } as const;
    world.setTrigger({ ...world.record('o0', onObjects()), lineage: made });
    await world.start();
    world.putObject({ sequence: 1 });
    await settle();
    assert.deepEqual(world.accepted[0]?.lineage, { ...made, cause: 'object' });
    await world.stop();
  });

  it('an event that cannot be handed on is not acknowledged, does not hold up others, and is tried again', async () => {
    const world = await started({});
    world.refuse = (command) => {
      if (command.dedupId?.endsWith(':2')) throw new TidemillError('InternalServerError', 'disk full');
    };
    for (const sequence of [1, 2, 3]) world.putObject({ sequence });
    await settle();
    assert.deepEqual(delivered(world), ['id-o0:1', 'id-o0:3']);
    assert.deepEqual(
      world.outbox.map((event) => event.sequence),
      [2, 3],
    );
    world.refuse = () => {};
    await world.clock.runTo('2024-05-01T10:00:02Z');
    assert.deepEqual(delivered(world), ['id-o0:1', 'id-o0:3', 'id-o0:2']);
    assert.deepEqual(world.outbox, []);
    await world.stop();
  });

  it('after a crash what was not acknowledged comes again and is de-duplicated', async () => {
    const world = await started({});
    world.refuse = (command) => {
      if (command.dedupId?.endsWith(':1')) throw new Error('crash now');
    };
    world.putObject({ sequence: 1 });
    world.putObject({ sequence: 2 });
    await settle();
    await world.stop();
    world.refuse = () => {};
    await world.start();
    await settle();
    assert.deepEqual(delivered(world), ['id-o0:2', 'id-o0:1']);
    assert.equal(world.attempts.filter((command) => command.dedupId === 'id-o0:2').length, 2);
    assert.deepEqual(world.outbox, []);
    await world.stop();
  });

  it('an event of a function that is gone ends on record', async () => {
    const world = await started({});
    world.refuse = () => {
      throw new TidemillError('FunctionNotFound', 'no function f');
    };
    world.putObject({ sequence: 1 });
    await settle();
    assert.deepEqual(world.ended, [['f', 'Invalid', 'no function f']]);
    assert.deepEqual(world.outbox, []);
    await world.stop();
  });

  it('an object store that fails for a while is read again', async () => {
    const world = await started({});
    const { outbox } = world;
    let broken = true;
    Object.defineProperty(world, 'outbox', {
      configurable: true,
      get() {
        if (broken) throw new Error('I/O error');
        return outbox;
      },
      set() {},
    });
    outbox.push();
    assert.throws(() => world.putObject({ sequence: 1 }));
    broken = false;
    world.putObject({ sequence: 1 });
    broken = true;
    await settle();
    assert.deepEqual(world.accepted, []);
    broken = false;
    await world.clock.runTo('2024-05-01T10:00:03Z');
    assert.deepEqual(delivered(world), ['id-o0:1']);
    await world.stop();
  });

  it('thousands of events are handed on in order', async () => {
    const world = await started({});
    for (let sequence = 1; sequence <= 5000; sequence++) world.putObject({ sequence });
    while (world.outbox.length > 0) await settle();
    assert.deepEqual(
      delivered(world),
      Array.from({ length: 5000 }, (_, n) => `id-o0:${n + 1}`),
    );
    await world.stop();
  });
});
