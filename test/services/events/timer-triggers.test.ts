import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { TimerTriggerConfig } from '../../../src/core/domain/trigger.ts';
import { FIRED_UNTIL_KEY } from '../../../src/services/events/timer-triggers.ts';
import { settle, SimulatedWorld } from './simulated-world.ts';

const every = (cronExpression: string, enable = true): TimerTriggerConfig => ({
  type: 'timer',
  cronExpression,
  enable,
  payload: 'awesome-fc',
});
const FIVE_MINUTES = '0 0/5 * * * *';

async function started(start = '2024-05-01T10:00:30Z'): Promise<SimulatedWorld> {
  const world = new SimulatedWorld(start);
  await world.start();
  return world;
}

/** Fire times as accepted, `HH:MM:SS`. */
const fired = (world: SimulatedWorld) =>
  world.payloads().map((payload) => (payload as { triggerTime: string }).triggerTime.slice(11, 19));

describe('timer triggers', () => {
  it('fire on their times with the documented payload', async () => {
    const world = await started();
    world.setTrigger(world.record('t', every(FIVE_MINUTES)));
    await world.clock.runTo('2024-05-01T10:04:59Z');
    assert.equal(world.accepted.length, 0);
    await world.clock.runTo('2024-05-01T10:15:00Z');
    assert.deepEqual(world.payloads()[0], {
      triggerTime: '2024-05-01T10:05:00Z',
      triggerName: 't',
      payload: 'awesome-fc',
    });
    assert.deepEqual(fired(world), ['10:05:00', '10:10:00', '10:15:00']);
    const [command] = world.accepted;
    assert.equal(command?.account, 'acct');
    assert.equal(command.functionName, 'f');
    assert.equal(command.qualifier, 'LATEST');
    assert.equal(command.dedupId, `id-t:${Date.parse('2024-05-01T10:05:00Z')}`);
    assert.deepEqual(command.lineage, { hops: 0, rootRequestId: command.requestId });
    await world.stop();
  });

  it('a timer that a function made descends from that function', async () => {
    const world = await started();
    const lineage = { hops: 2, rootRequestId: 'maker', cause: 'call' } as const;
    world.setTrigger({ ...world.record('t', every(FIVE_MINUTES)), lineage });
    await world.clock.runTo('2024-05-01T10:05:00Z');
    assert.deepEqual(world.accepted[0]?.lineage, { ...lineage, cause: 'timer' });
    await world.stop();
  });

  it('@every counts from the creation of the trigger, in memory and after a restart', async () => {
    const world = await started();
    world.setTrigger(world.record('t', every('@every 90s')));
    await world.clock.runTo('2024-05-01T10:03:40Z');
    assert.deepEqual(fired(world), ['10:02:00', '10:03:30']);
    await world.stop();
    await world.start();
    await world.clock.runTo('2024-05-01T10:06:40Z');
    assert.deepEqual(fired(world), ['10:02:00', '10:03:30', '10:05:00', '10:06:30']);
    await world.stop();
  });

  it('follow their zone', async () => {
    const world = await started('2024-05-01T00:00:00Z');
    world.setTrigger(world.record('t', every('CRON_TZ=Asia/Shanghai 0 0 9 * * *')));
    await world.clock.runTo('2024-05-01T12:00:00Z');
    assert.deepEqual(fired(world), ['01:00:00']);
    await world.stop();
  });

  it('follow changes: switched off and on, moved, removed', async () => {
    const world = await started();
    const record = world.record('t', every('0 * * * * *'));
    world.setTrigger(record);
    await world.clock.runTo('2024-05-01T10:01:30Z');
    const changed = (config: TimerTriggerConfig) => ({
      ...record,
      config,
      rawConfig: JSON.stringify(config),
      lastModifiedTime: world.clock.now(),
    });
    world.setTrigger(changed(every('0 * * * * *', false)));
    await world.clock.runTo('2024-05-01T10:05:30Z');
    world.setTrigger(changed(every('0 * * * * *')));
    await world.clock.runTo('2024-05-01T10:06:30Z');
    world.setTrigger(changed(every('30 * * * * *')));
    await world.clock.runTo('2024-05-01T10:07:40Z');
    world.removeTrigger('t');
    await world.clock.runTo('2024-05-01T10:10:00Z');
    assert.deepEqual(fired(world), ['10:01:00', '10:06:00', '10:07:30']);
    await world.stop();
  });

  it('a change of the payload alone keeps the schedule going', async () => {
    const world = await started();
    const record = world.record('t', every('0 * * * * *'));
    world.setTrigger(record);
    await world.clock.runTo('2024-05-01T10:01:30Z');
    world.setTrigger({ ...record, config: { ...every('0 * * * * *'), payload: 'new' }, rawConfig: 'new' });
    await world.clock.runTo('2024-05-01T10:02:30Z');
    assert.deepEqual(
      world.payloads().map((payload) => (payload as { payload: string }).payload),
      ['awesome-fc', 'new'],
    );
    await world.stop();
  });

  it('the latest missed fire of up to an hour ago is made up for, once', async () => {
    const world = await started();
    world.setTrigger(world.record('often', every(FIVE_MINUTES)));
    world.setTrigger(world.record('daily', every('0 10 10 * * *')));
    await world.clock.runTo('2024-05-01T10:06:00Z');
    await world.stop();
    world.clock.jumpTo('2024-05-01T13:02:00Z');
    await world.start();
    await world.clock.runTo('2024-05-01T13:06:00Z');
    assert.deepEqual(fired(world), ['10:05:00', '13:00:00', '13:05:00']);
    await world.stop();
  });

  it('a machine that slept makes up the same way', async () => {
    const world = await started();
    world.setTrigger(world.record('t', every(FIVE_MINUTES)));
    await world.clock.runTo('2024-05-01T10:01:00Z');
    world.clock.jumpTo('2024-05-01T12:31:00Z');
    await world.clock.runTo('2024-05-01T12:36:00Z');
    assert.deepEqual(fired(world), ['12:30:00', '12:35:00']);
    assert.equal(world.attempts.length, 2, 'nothing was left to de-duplication');
    await world.stop();
  });

  it('killed at any time neither doubles nor misses a fire', async () => {
    for (const second of [0, 0.2, 0.9, 1.1, 30]) {
      const world = await started();
      world.setTrigger(world.record('t', every('0 * * * * *')));
      await world.clock.runTo(Date.parse('2024-05-01T10:03:00Z') + second * 1000);
      world.kill();
      world.clock.jumpTo('2024-05-01T10:04:20Z');
      await world.start();
      await world.clock.runTo('2024-05-01T10:06:00Z');
      assert.deepEqual(fired(world), ['10:01:00', '10:02:00', '10:03:00', '10:04:00', '10:05:00', '10:06:00']);
      await world.stop();
    }
  });

  it('killed before anything fired: the fire that fell due meanwhile is made up for', async () => {
    const world = await started();
    world.setTrigger(world.record('t', every('0 * * * * *')));
    await settle();
    world.kill();
    world.clock.jumpTo('2024-05-01T10:01:10Z');
    await world.start();
    assert.deepEqual(fired(world), ['10:01:00']);
    await world.stop();
  });

  it('a fire that cannot be handed on is tried again, and found again after a crash', async () => {
    const world = await started();
    world.setTrigger(world.record('t', every('0 1 10 * * *')));
    world.refuse = () => {
      throw new TidemillError('InternalServerError', 'the disk is full');
    };
    await world.clock.runTo('2024-05-01T10:05:00Z');
    assert.ok(world.attempts.length > 3);
    assert.deepEqual(world.accepted, []);
    const saved = world.stored.get(FIRED_UNTIL_KEY)?.value;
    assert.ok(saved === undefined || Number(saved) < Date.parse('2024-05-01T10:01:00Z'));
    world.kill();
    world.refuse = () => {};
    await world.start();
    assert.deepEqual(fired(world), ['10:01:00']);
    assert.deepEqual(world.ended, []);
    await world.stop();
  });

  it('stops in the middle of trying; the fire comes after the restart', async () => {
    const world = await started();
    world.setTrigger(world.record('t', every('0 1 10 * * *')));
    world.refuse = () => {
      throw new Error('not now');
    };
    await world.clock.runTo('2024-05-01T10:01:10Z');
    await world.stop();
    world.refuse = () => {};
    await world.start();
    assert.deepEqual(fired(world), ['10:01:00']);
    await world.stop();
  });

  it('a fire whose function is gone, or that cannot be handed on for an hour, is recorded as ended', async () => {
    const world = await started();
    world.setTrigger(world.record('gone', every('0 1 10 * * *')));
    world.setTrigger({ ...world.record('stuck', every('0 2 10 * * *')), functionName: 'g' });
    world.refuse = (command) => {
      if (command.functionName === 'f') throw new TidemillError('FunctionNotFound', 'no function f');
      throw new TidemillError('ResourceExhausted', 'no room');
    };
    await world.clock.runTo('2024-05-01T11:30:00Z');
    assert.deepEqual(world.ended, [
      ['f', 'Invalid', 'no function f'],
      ['g', 'Expired', 'no room'],
    ]);
    await world.stop();
  });

  it('a fire whose end cannot be written down is not passed over: it is found again after the kill', async () => {
    const world = await started();
    world.setTrigger(world.record('gone', every('0 1 10 * * *')));
    world.refuse = () => {
      throw new TidemillError('FunctionNotFound', 'no function f');
    };
    world.diskFull = () => {
      throw new TidemillError('InternalServerError', 'the disk is full');
    };
    await world.clock.runTo('2024-05-01T10:05:00Z');
    const saved = world.stored.get(FIRED_UNTIL_KEY)?.value;
    assert.ok(saved === undefined || Number(saved) < Date.parse('2024-05-01T10:01:00Z'));
    world.kill();
    world.diskFull = () => {};
    await world.start();
    assert.deepEqual(world.ended, [['f', 'Invalid', 'no function f']]);
    await world.stop();
  });

  it('many timers that are due together all fire', async () => {
    const world = await started();
    for (let n = 0; n < 500; n++) world.setTrigger(world.record(`t${n}`, every(FIVE_MINUTES)));
    await world.clock.runTo('2024-05-01T10:10:00Z');
    assert.equal(world.accepted.length, 1000);
    assert.equal(new Set(world.accepted.map((command) => command.dedupId)).size, 1000);
    await world.stop();
  });
});
