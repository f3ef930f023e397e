import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import type { AsyncCommand } from '../../../src/core/ports/dispatch.ts';
import type { InstanceAnswer } from '../../../src/core/ports/instance-link.ts';
import { settle } from '../scheduler/simulated-clock.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld } from './dispatch-world.ts';

const FAILED: InstanceAnswer = {
  errorType: 'UnhandledInvocationError',
  payload: Buffer.from('{"errorMessage":"oops","errorType":"Error","stackTrace":[]}'),
};

function eventFor(functionName: string, more: Partial<AsyncCommand> = {}): AsyncCommand {
  const requestId = more.requestId ?? 'r1';
  return {
    requestId,
    account: ACCOUNT,
    functionName,
    qualifier: undefined,
    payload: Buffer.from('event'),
    lineage: { hops: 0, rootRequestId: requestId },
    ...more,
  };
}

function coded(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TidemillError && error.code === code;
}

function configure(world: DispatchWorld, name: string, attempts: number, ageSeconds: number): void {
  world.catalog.asyncConfigs.set(`${name}/LATEST`, {
    account: ACCOUNT,
    functionName: name,
    qualifier: 'LATEST',
    maxAsyncRetryAttempts: attempts,
    maxAsyncEventAgeInSeconds: ageSeconds,
    createdTime: 0,
    lastModifiedTime: 0,
  });
}

describe('accepting', () => {
  test('ids, sizes and delays are checked, the function must exist', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    const { dispatch } = world;
    await assert.rejects(dispatch.invokeAsync(eventFor('nope')), coded('FunctionNotFound'));
    const payload = new Uint8Array(LIMITS.asyncPayloadBytes + 1);
    await assert.rejects(dispatch.invokeAsync(eventFor('f', { payload })), coded('EntityTooLarge'));
    await assert.rejects(dispatch.invokeAsync(eventFor('f', { taskId: '1a' })), coded('InvalidArgument'));
    await assert.rejects(dispatch.invokeAsync(eventFor('f', { delaySeconds: 3_601 })), coded('InvalidArgument'));
    assert.deepEqual(await dispatch.invokeAsync(eventFor('f')), { taskId: 'r1', requestId: 'r1' });
    assert.equal((await dispatch.invokeAsync(eventFor('f', { taskId: 'mine' }))).taskId, 'mine');
    await assert.rejects(dispatch.invokeAsync(eventFor('f', { taskId: 'mine' })), coded('AsyncTaskAlreadyExists'));
    await dispatch.invokeAsync(eventFor('f', { requestId: 'r2', dedupId: 'd' }));
    await dispatch.invokeAsync(eventFor('f', { requestId: 'r3', dedupId: 'd' }));
    assert.equal(world.facts.of('event-accepted').length, 3);
    await world.close();
  });
});

describe('the wall clock is set while an event runs', () => {
  test('its lease runs out before it is renewed, and it is not run beside itself', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', { timeout: 60 });
    world.catalog.put('other');
    let [running, most] = [0, 0];
    world.answer = async (call) => {
      if (call.requestId !== 'long') return world.later(1, { errorType: undefined, payload: Buffer.from('ok') });
      most = Math.max(most, ++running);
      const answer = await world.later(20_000, { errorType: undefined, payload: Buffer.from('ok') });
      running--;
      return answer;
    };
    const { clock } = world;
    const now = clock.now.bind(clock);
    await world.dispatch.invokeAsync(eventFor('f', { requestId: 'long' }));
    await clock.advance(2_000);
    assert.equal(running, 1);
    clock.now = () => now() + 45_000;
    // Whatever comes next makes the queue look for leases that have run out.
    await world.dispatch.invokeAsync(eventFor('other', { requestId: 'next' }));
    await clock.advance(60_000);
    assert.equal(most, 1);
    assert.deepEqual(
      world.facts.of('invocation-settled').map(({ requestId }) => requestId),
      ['next', 'long'],
    );
    const ends = world.facts.of('event-ended').map(({ requestId, state, attempts }) => [requestId, state, attempts]);
    assert.deepEqual(ends, [
      ['next', 'Succeeded', 1],
      ['long', 'Succeeded', 1],
    ]);
    assert.equal(world.queue.stored.length, 0);
    await world.close();
  });
});

describe('what can never run', () => {
  test('has one durable end, its dead letter and its facts; found again it changes nothing', async () => {
    const world = await DispatchWorld.open({ started: false });
    const refused = { state: 'Invalid', message: 'there is no such version' } as const;
    const payload = Buffer.from('tick');
    await world.dispatch.refuseAsync(eventFor('gone', { requestId: 'r1', dedupId: 'd', payload }), refused);
    // Killed here, the end is not lost: the event is in the queue and no instance is needed for what follows.
    assert.equal(world.queue.stored.length, 1);
    await world.dispatch.start();
    await world.clock.advance(1_000);
    await world.dispatch.refuseAsync(eventFor('gone', { requestId: 'r2', dedupId: 'd', payload }), refused);
    await world.clock.advance(1_000);
    assert.equal(world.queue.stored.length, 0);
    const ends = world.facts.of('event-ended').map(({ requestId, state, attempts, message }) => {
      return [requestId, state, attempts, message];
    });
    assert.deepEqual(ends, [['r1', 'Invalid', 0, refused.message]]);
    assert.equal(world.facts.of('event-accepted').length, 1);
    assert.equal(world.facts.of('invocation-settled').length, 0);
    const [letter, ...others] = await world.dispatch.letters.list({ account: ACCOUNT, limit: 9 });
    assert.deepEqual([letter?.requestId, letter?.state, others.length], ['r1', 'Invalid', 0]);
    const kept = await world.dispatch.letters.get(ACCOUNT, letter?.number ?? 0);
    assert.equal(Buffer.from(kept.payload).toString(), 'tick');
    await world.close();
  });

  test('a payload that is too long does not keep it from its end', async () => {
    const world = await DispatchWorld.open();
    const payload = new Uint8Array(LIMITS.asyncPayloadBytes + 1);
    await world.dispatch.refuseAsync(eventFor('f', { payload }), { state: 'Invalid', message: 'too long' });
    await world.clock.advance(1_000);
    assert.deepEqual(
      world.facts.of('event-ended').map(({ message }) => message),
      ['too long'],
    );
    await world.close();
  });
});

describe('running', () => {
  test('an event runs once and its end is recorded', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    await world.dispatch.invokeAsync(eventFor('f'));
    await world.clock.advance(1_000);
    assert.equal(world.queue.stored.length, 0);
    const [settled] = world.facts.of('invocation-settled');
    assert.equal(settled?.invocation, 'async');
    assert.deepEqual(
      world.facts.of('event-ended').map(({ state, attempts }) => [state, attempts]),
      [['Succeeded', 1]],
    );
    await world.close();
  });

  test('nobody asks for events that are not due, however many come; they are taken when they are', async (t) => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    await world.clock.advance(1_000);
    const leases = t.mock.method(world.queue, 'lease');
    for (let n = 0; n < 20; n++) {
      await world.dispatch.invokeAsync(eventFor('f', { requestId: `r${n}`, delaySeconds: 20 - n }));
    }
    await settle();
    assert.equal(leases.mock.callCount(), 0);
    await world.clock.advance(1_000);
    assert.equal(world.facts.of('event-accepted').length, 20);
    assert.ok(leases.mock.callCount() > 0);
    assert.equal((await world.queue.depth()).waiting, 19, 'the one that came last was due first');
    await world.close();
  });

  test('a delayed event waits', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    await world.dispatch.invokeAsync(eventFor('f', { delaySeconds: 5 }));
    await world.clock.advance(4_900);
    assert.equal(world.pool.orders.length, 0);
    await world.clock.advance(1_000);
    assert.equal(world.facts.of('event-ended')[0]?.state, 'Succeeded');
    await world.close();
  });

  test('function errors are retried after 1, 2, 4 s, and the function is told how often', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    const runs: [number, number][] = [];
    world.answer = async (call) => {
      runs.push([call.retryCount, world.clock.monotonic()]);
      return FAILED;
    };
    await world.dispatch.invokeAsync(eventFor('f'));
    await world.clock.advance(20_000);
    assert.deepEqual(
      runs.map(([count]) => count),
      [0, 1, 2, 3],
    );
    const gaps = runs.slice(1).map(([, at], i) => Math.round((at - (runs[i]?.[1] ?? 0)) / 1_000));
    assert.deepEqual(gaps, [1, 2, 4]);
    const [ended] = world.facts.of('event-ended');
    assert.deepEqual([ended?.state, ended?.attempts, ended?.message], ['Failed', 4, 'oops']);
    await world.close();
  });

  test('the retry limit and the age of an event are the function’s own', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('none');
    world.catalog.put('short');
    configure(world, 'none', 0, 3_600);
    configure(world, 'short', 8, 2);
    world.answer = async () => FAILED;
    await world.dispatch.invokeAsync(eventFor('none', { requestId: 'a' }));
    await world.dispatch.invokeAsync(eventFor('short', { requestId: 'b' }));
    await world.clock.advance(10_000);
    const ends = world.facts.of('event-ended').map(({ requestId, state, attempts }) => [requestId, state, attempts]);
    assert.deepEqual(ends, [
      ['a', 'Failed', 1],
      ['b', 'Expired', 2],
    ]);
    await world.close();
  });

  test('throttling is waited out and does not count', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', {}, { reservedConcurrency: 0 });
    await world.dispatch.invokeAsync(eventFor('f'));
    await world.clock.advance(30_000);
    assert.equal(world.facts.of('event-ended').length, 0);
    assert.ok(world.facts.of('invocation-settled').length < 10);
    world.catalog.patch('f', { reservedConcurrency: 5 });
    await world.clock.advance(60_000);
    const [ended] = world.facts.of('event-ended');
    assert.deepEqual([ended?.state, ended?.attempts], ['Succeeded', 1]);
    await world.close();
  });

  test('a function that is gone ends its events, a disabled one keeps them', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('gone');
    world.catalog.put('off');
    await world.dispatch.invokeAsync(eventFor('gone', { requestId: 'a', delaySeconds: 1 }));
    await world.dispatch.invokeAsync(eventFor('off', { requestId: 'b', delaySeconds: 1 }));
    world.catalog.delete('gone');
    world.catalog.patch('off', { invocationRestriction: { disable: true, reason: '', lastModifiedTime: 0 } });
    await world.clock.advance(5_000);
    assert.deepEqual(
      world.facts.of('event-ended').map(({ requestId, state }) => [requestId, state]),
      [['a', 'Invalid']],
    );
    assert.equal(world.queue.stored.length, 1);
    await world.close();
  });

  test('a loop ends at the hop limit without running', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    await world.dispatch.invokeAsync(eventFor('f', { lineage: { hops: LIMITS.hopsDefault, rootRequestId: 'x' } }));
    await world.clock.advance(1_000);
    assert.equal(world.facts.of('event-ended')[0]?.state, 'Failed');
    assert.match(world.facts.of('event-ended')[0]?.message ?? '', /loop/);
    assert.equal(world.pool.orders.length, 0);
    await world.close();
  });

  test('an HTTP request for a custom runtime arrives as one; a 5xx is retried', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', { runtime: 'custom' });
    const seen: string[] = [];
    world.answer = async (call) => {
      seen.push(call.input.kind === 'http' ? `${call.input.call.method} ${call.input.call.target}` : 'event');
      return {
        errorType: undefined,
        payload: Buffer.from(''),
        reply: { status: seen.length === 1 ? 500 : 200, headers: [] },
      };
    };
    await world.dispatch.invokeAsync(eventFor('f', { http: { method: 'PUT', target: '/x?y', headers: [] } }));
    await world.clock.advance(5_000);
    assert.deepEqual(seen, ['PUT /x?y', 'PUT /x?y']);
    assert.equal(world.facts.of('event-ended')[0]?.state, 'Succeeded');
    await world.close();
  });
});

describe('many events', () => {
  test('a function with one instance gets one at a time, and does not hold up another', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('slow', {}, { reservedConcurrency: 1 });
    world.catalog.put('quick');
    let running = 0;
    let most = 0;
    world.answer = async (call) => {
      if (!call.requestId.startsWith('slow')) return { errorType: undefined, payload: Buffer.from('') };
      running++;
      most = Math.max(most, running);
      await world.later(1_000, undefined);
      running--;
      return { errorType: undefined, payload: Buffer.from('') };
    };
    for (let i = 0; i < 50; i++) await world.dispatch.invokeAsync(eventFor('slow', { requestId: `slow${i}` }));
    for (let i = 0; i < 5; i++) await world.dispatch.invokeAsync(eventFor('quick', { requestId: `quick${i}` }));
    await world.clock.advance(3_000);
    const done = (name: string): number =>
      world.facts.of('event-ended').filter(({ requestId }) => requestId.startsWith(name)).length;
    assert.equal(done('quick'), 5);
    assert.ok(done('slow') >= 1);
    await world.clock.advance(60_000);
    assert.equal(done('slow'), 50);
    assert.equal(most, 1);
    assert.equal(world.facts.of('invocation-settled').filter(({ status }) => status !== 200).length, 0);
    await world.close();
  });

  test('leases are renewed while the work runs, and a lost one stops it', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', { timeout: 600 });
    world.answer = () => world.later(200_000, { errorType: undefined, payload: Buffer.from('') });
    await world.dispatch.invokeAsync(eventFor('f', { requestId: 'long' }));
    await world.clock.advance(150_000);
    assert.equal(world.pool.orders.length, 1);
    await world.clock.advance(60_000);
    assert.equal(world.facts.of('event-ended').length, 1);
    await world.dispatch.invokeAsync(eventFor('f', { requestId: 'lost' }));
    await world.clock.advance(5_000);
    const id = world.queue.stored[0];
    world.queue.steal(id);
    await world.clock.advance(20_000);
    assert.equal(world.pool.kills.length, 1);
    assert.equal(world.facts.of('event-ended').length, 1);
    await world.close();
  });

  test('an event that somebody else has taken is not settled twice', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', { timeout: 60 });
    world.answer = () => world.later(5_000, { errorType: undefined, payload: Buffer.from('') });
    await world.dispatch.invokeAsync(eventFor('f'));
    await world.clock.advance(2_000);
    world.queue.steal(world.queue.stored[0]);
    await world.clock.advance(6_000);
    assert.equal(world.facts.of('invocation-settled').length, 1);
    assert.equal(world.facts.of('event-ended').length, 0);
    await world.close();
  });

  test('the queue keeps the record of an end until the log has it on disk', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    const disk = Promise.withResolvers<void>();
    world.facts.flush = () => disk.promise;
    await world.dispatch.invokeAsync(eventFor('f'));
    await world.clock.advance(2_000);
    assert.equal(world.facts.of('event-ended').length, 1);
    assert.equal(world.queue.stored.length, 0);
    assert.equal((await world.queue.untold(10)).length, 1);
    disk.resolve();
    await settle();
    assert.equal((await world.queue.untold(10)).length, 0);
    await world.close();
  });

  test('a log that cannot be written is tried again, and every end is told once', async () => {
    const world = await DispatchWorld.open({ started: false });
    world.catalog.put('f');
    await world.dispatch.invokeAsync(eventFor('f', { requestId: 'old' }));
    const [dead] = await world.queue.lease({ max: 1, leaseMs: 100, now: world.clock.now() });
    assert.ok(dead && (await world.queue.settle(dead, { state: 'Failed', attempts: 1, message: '', followers: [] })));
    const { flush } = world.facts;
    world.facts.flush = () => Promise.reject(new Error('the disk is full'));
    await world.dispatch.start();
    await world.dispatch.invokeAsync(eventFor('f', { requestId: 'new' }));
    await world.clock.advance(5_000);
    assert.equal((await world.queue.untold(10)).length, 2);
    world.facts.flush = flush;
    await world.clock.advance(5_000);
    assert.equal((await world.queue.untold(10)).length, 0);
    assert.deepEqual(
      world.facts
        .of('event-ended')
        .map(({ requestId }) => requestId)
        .toSorted(),
      ['new', 'old'],
    );
    await world.close();
  });

  test('an end that a server recorded and then died is told once, whether or not it had told it', async () => {
    const world = await DispatchWorld.open({ started: false });
    world.catalog.put('f');
    for (const requestId of ['told', 'untold']) await world.dispatch.invokeAsync(eventFor('f', { requestId }));
    for (const dead of await world.queue.lease({ max: 2, leaseMs: 100, now: world.clock.now() })) {
      assert.ok(await world.queue.settle(dead, { state: 'Succeeded', attempts: 1, message: '', followers: [] }));
    }
    const ended = { taskId: 'told', state: 'Succeeded', attempts: 1, message: '' } as const;
    const at = world.clock.now();
    world.facts.append({ type: 'event-ended', at, account: ACCOUNT, functionName: 'f', requestId: 'told', ...ended });
    await world.dispatch.start();
    await world.clock.advance(2_000);
    assert.deepEqual(
      world.facts
        .of('event-ended')
        .map(({ requestId }) => requestId)
        .toSorted(),
      ['told', 'untold'],
    );
    assert.equal((await world.queue.untold(10)).length, 0);
    assert.equal(world.facts.of('invocation-settled').length, 0);
    await world.close();
  });

  test('events that a server held when it died are run at once by the next', async () => {
    const world = await DispatchWorld.open({ started: false });
    world.catalog.put('f');
    await world.dispatch.invokeAsync(eventFor('f'));
    const [dead] = await world.queue.lease({ max: 1, leaseMs: 30_000, now: world.clock.now() });
    assert.ok(dead);
    await world.dispatch.start();
    await world.clock.advance(1_000);
    assert.equal(world.facts.of('event-ended')[0]?.state, 'Succeeded');
    assert.equal(await world.queue.settle(dead, { state: 'Failed', attempts: 1, message: '', followers: [] }), false);
    await world.close();
  });

  test('drain gives back what has not begun and waits for what runs', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', {}, { reservedConcurrency: 1 });
    world.answer = () => world.later(1_000, { errorType: undefined, payload: Buffer.from('') });
    const command = (i: number): AsyncCommand => eventFor('f', { requestId: `r${i}`, delaySeconds: 1 });
    for (let i = 0; i < 5; i++) await world.dispatch.invokeAsync(command(i));
    await world.clock.advance(1_500);
    const drained = world.dispatch.drain();
    await settle();
    await world.clock.advance(2_000);
    await drained;
    assert.equal(world.facts.of('event-ended').length, 1);
    assert.equal(world.queue.stored.length, 4);
    assert.equal((await world.queue.lease({ max: 10, leaseMs: 1_000, now: world.clock.now() })).length, 4);
    await world.close();
    assert.equal(world.clock.pending, 0);
  });
});
