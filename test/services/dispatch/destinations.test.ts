import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import type { AsyncInvokeConfigRecord } from '../../../src/core/domain/function.ts';
import type { Lineage } from '../../../src/core/domain/lineage.ts';
import type { AsyncCommand } from '../../../src/core/ports/dispatch.ts';
import type { InstanceAnswer } from '../../../src/core/ports/instance-link.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld } from './dispatch-world.ts';

const FAILED: InstanceAnswer = {
  errorType: 'UnhandledInvocationError',
  payload: Buffer.from('{"errorMessage":"oops","errorType":"Error"}'),
};

function eventFor(functionName: string, more: Partial<AsyncCommand> = {}): AsyncCommand {
  const requestId = more.requestId ?? 'r1';
  return {
    requestId,
    account: ACCOUNT,
    functionName,
    qualifier: undefined,
    payload: Buffer.from('"in"'),
    lineage: { hops: 0, rootRequestId: requestId },
    ...more,
  };
}

function configure(world: DispatchWorld, name: string, more: Partial<AsyncInvokeConfigRecord>): void {
  world.destinations.account = ACCOUNT;
  world.catalog.asyncConfigs.set(`${name}/LATEST`, {
    account: ACCOUNT,
    functionName: name,
    qualifier: 'LATEST',
    maxAsyncRetryAttempts: 0,
    maxAsyncEventAgeInSeconds: 3_600,
    createdTime: 0,
    lastModifiedTime: 0,
    ...more,
  });
}

const letters = (world: DispatchWorld) => world.dispatch.letters.list({ account: ACCOUNT, limit: 100 });
const deliveries = (world: DispatchWorld) =>
  world.facts.of('delivery-ended').map(({ state, attempts, destination }) => [state, attempts, destination]);

describe('destinations', () => {
  test('a result goes to a function as the documented payload, one hop further', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    world.catalog.put('g');
    configure(world, 'f', { onSuccess: 'acs:fc:local::functions/g' });
    const seen: string[] = [];
    world.answer = async (call) => {
      if (call.requestId !== 'r1' && call.input.kind === 'event') seen.push(Buffer.from(call.input.payload).toString());
      return { errorType: undefined, payload: Buffer.from('{"out":"ü"}') };
    };
    await world.dispatch.invokeAsync(eventFor('f', { lineage: { hops: 3, rootRequestId: 'root' } }));
    await world.clock.advance(3_000);
    const [document = ''] = seen;
    assert.equal(seen.length, 1);
    const { timestamp, ...rest } = JSON.parse(document) as { timestamp: number };
    assert.equal(typeof timestamp, 'number');
    assert.deepEqual(rest, {
      requestContext: {
        requestId: 'r1',
        functionArn: `acs:fc:local:${ACCOUNT}:functions/f`,
        condition: '',
        approximateInvokeCount: 1,
      },
      requestPayload: '"in"',
      responseContext: { statusCode: 200, functionError: '' },
      responsePayload: '{"out":"ü"}',
    });
    assert.deepEqual(deliveries(world), [['Succeeded', 1, 'acs:fc:local::functions/g']]);
    assert.equal(world.facts.of('event-ended').length, 2);
    await world.close();
  });

  test('a failure goes to a bucket; without a destination it is a dead letter', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    world.catalog.put('lonely');
    configure(world, 'f', { onFailure: `acs:oss:local:${ACCOUNT}:results/failed` });
    configure(world, 'lonely', { onSuccess: 'acs:fc:local::functions/f' });
    world.answer = async () => FAILED;
    await world.dispatch.invokeAsync(eventFor('f', { requestId: 'a' }));
    await world.dispatch.invokeAsync(eventFor('lonely', { requestId: 'b' }));
    await world.clock.advance(3_000);
    const [written] = [...world.destinations.objects];
    assert.ok(written);
    const [key, object] = written;
    assert.match(key, /^failed\/f\/2026-01-01\/a-failure\.json$/);
    assert.equal(object.hops, 1, 'the object descends from what it tells of');
    const { requestContext, responseContext } = JSON.parse(object.text) as Record<string, unknown>;
    assert.deepEqual(responseContext, { statusCode: 200, functionError: 'UnhandledInvocationError' });
    assert.equal((requestContext as { condition: string }).condition, 'UnhandledInvocationError');
    const [letter, ...others] = await letters(world);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [letter?.functionName, letter?.kind, letter?.state, letter?.requestId, letter?.message],
      ['lonely', 'invocation', 'Failed', 'b', 'oops'],
    );
    await world.close();
  });

  test('a webhook that fails is tried again from 0.5 s on; one that refuses becomes a dead letter', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    configure(world, 'f', { onSuccess: 'https://a.example/hook' });
    const times: number[] = [];
    world.destinations.answer = async () => {
      times.push(world.clock.monotonic());
      if (times.length === 2) throw new Error('nobody listens');
      return { status: [503, 0, 429, 204][times.length - 1] ?? 500, text: 'no' };
    };
    await world.dispatch.invokeAsync(eventFor('f', { requestId: 'a' }));
    await world.clock.advance(10_000);
    const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    for (const [i, gap] of gaps.entries()) assert.ok(gap >= 400 * 2 ** i && gap <= 700 * 2 ** i, String(gaps));
    assert.deepEqual(deliveries(world), [['Succeeded', 4, 'https://a.example/hook']]);
    world.destinations.answer = async () => ({ status: 410, text: 'gone' });
    await world.dispatch.invokeAsync(eventFor('f', { requestId: 'b' }));
    await world.clock.advance(2_000);
    const [letter] = await letters(world);
    assert.deepEqual([letter?.kind, letter?.state, letter?.requestId], ['delivery', 'Failed', 'b']);
    assert.match(letter?.message ?? '', /status 410: gone/);
    await world.close();
  });

  test('a failure that its destination does not take is a dead letter of the invocation, after a day at the latest', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    configure(world, 'f', { onFailure: 'https://a.example/hook' });
    world.answer = async () => FAILED;
    world.destinations.answer = async () => ({ status: 500, text: '' });
    await world.dispatch.invokeAsync(eventFor('f'));
    await world.clock.advance((LIMITS.deliveryAgeMaxSeconds + 3_600) * 1_000);
    const [letter] = await letters(world);
    assert.deepEqual([letter?.kind, letter?.state, letter?.message], ['invocation', 'Failed', 'oops']);
    assert.equal(letter?.evidence?.['destination'], 'https://a.example/hook');
    assert.ok(world.destinations.posts.length < 70, `${world.destinations.posts.length} posts in a day`);
    await world.close();
  });

  test('functions that are each other’s destination are stopped after the allowed hops', async () => {
    const world = await DispatchWorld.open();
    for (const [name, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      world.catalog.put(name);
      const destination = `acs:fc:local::functions/${other}`;
      configure(world, name, { onSuccess: destination, onFailure: destination });
    }
    await world.dispatch.invokeAsync(eventFor('a'));
    await world.clock.advance(60_000);
    assert.equal(world.facts.of('invocation-settled').length, LIMITS.hopsDefault);
    const [letter, ...others] = await letters(world);
    assert.deepEqual(others, []);
    assert.match(letter?.message ?? '', /loop/);
    const lineage = letter?.evidence?.['lineage'] as Lineage | undefined;
    assert.deepEqual([lineage?.hops, lineage?.rootRequestId], [LIMITS.hopsDefault, 'r1']);
    assert.deepEqual(
      lineage?.chain?.slice(0, 3).map(({ functionName }) => functionName),
      ['a', 'b', 'a'],
    );
    await world.close();
  });

  test('destinations that hang take no room from events', async () => {
    const world = await DispatchWorld.open();
    const names = Array.from({ length: 60 }, (_, n) => `hangs${n}`);
    for (const name of names) {
      world.catalog.put(name);
      configure(world, name, { onSuccess: 'https://a.example/' });
    }
    world.catalog.put('other');
    const hanging = Promise.withResolvers<{ status: number; text: string }>();
    world.destinations.answer = () => hanging.promise;
    for (let n = 0; n < 12; n++) {
      for (const name of names) await world.dispatch.invokeAsync(eventFor(name, { requestId: `${name}-${n}` }));
      await world.clock.advance(500);
    }
    await world.clock.advance(5_000);
    const hung = world.destinations.posts.length;
    assert.ok(hung >= 100 && hung <= 128, `${hung} deliveries hang`);
    await world.dispatch.invokeAsync(eventFor('other', { requestId: 'other' }));
    await world.clock.advance(2_000);
    const ended = world.facts.of('event-ended').map(({ requestId }) => requestId);
    assert.ok(ended.includes('other'));
    assert.equal(ended.length, 60 * 12 + 1);
    hanging.resolve({ status: 200, text: '' });
    await world.clock.advance(30_000);
    assert.equal(deliveries(world).length, 60 * 12);
    await world.close();
  });

  test('what is too long for a function is cut, and says so', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    world.catalog.put('g');
    configure(world, 'f', { onSuccess: 'acs:fc:local::functions/g' });
    const seen: Buffer[] = [];
    world.answer = async (call) => {
      if (call.requestId !== 'r1' && call.input.kind === 'event') seen.push(Buffer.from(call.input.payload));
      return { errorType: undefined, payload: Buffer.alloc(300_000, '"') };
    };
    await world.dispatch.invokeAsync(eventFor('f', { payload: Buffer.alloc(LIMITS.asyncPayloadBytes, '\n') }));
    await world.clock.advance(3_000);
    const [document = Buffer.alloc(0)] = seen;
    assert.ok(document.byteLength <= LIMITS.asyncPayloadBytes && document.byteLength > LIMITS.asyncPayloadBytes / 3);
    const { requestContext, responseContext } = JSON.parse(document.toString()) as Record<string, { truncated?: true }>;
    assert.deepEqual([requestContext?.truncated, responseContext?.truncated], [true, true]);
    await world.close();
  });
});

describe('dead letters', () => {
  async function withLetters(names: readonly string[]): Promise<DispatchWorld> {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    configure(world, 'f', {});
    world.answer = async () => FAILED;
    for (const requestId of names) await world.dispatch.invokeAsync(eventFor('f', { requestId }));
    await world.clock.advance(3_000);
    assert.equal((await letters(world)).length, names.length);
    return world;
  }

  test('one is redriven: the same payload, a new request, a new chain', async () => {
    const world = await withLetters(['a']);
    const ran: string[] = [];
    world.answer = async (call) => {
      ran.push(`${call.qualifier} ${call.input.kind === 'event' ? Buffer.from(call.input.payload).toString() : ''}`);
      return { errorType: undefined, payload: Buffer.from('ok') };
    };
    const [letter] = await letters(world);
    assert.ok(letter);
    await assert.rejects(world.dispatch.letters.redrive(ACCOUNT, { number: letter.number }, '7'), {
      code: 'VersionNotFound',
    });
    assert.equal((await letters(world)).length, 1, 'what cannot be redriven stays');
    assert.equal(await world.dispatch.letters.redrive(ACCOUNT, { number: letter.number }, undefined), 1);
    await assert.rejects(world.dispatch.letters.redrive(ACCOUNT, { number: letter.number }, undefined), {
      code: 'DeadLetterNotFound',
    });
    await world.clock.advance(2_000);
    assert.deepEqual(ran, ['LATEST "in"']);
    assert.deepEqual(await letters(world), []);
    assert.equal(world.facts.of('event-ended').at(-1)?.state, 'Succeeded');
    assert.equal(world.facts.of('event-accepted').length, 2);
    await world.close();
  });

  test('all that match are redriven once, though they die again meanwhile', async () => {
    const world = await withLetters(Array.from({ length: 90 }, (_, n) => `r${n}x`));
    const redriving = world.dispatch.letters.redrive(ACCOUNT, { functionName: 'f', text: 'oops' }, undefined);
    await world.clock.advance(20_000);
    assert.equal(await redriving, 90);
    await world.clock.advance(20_000);
    assert.equal((await letters(world)).length, 90, 'dead again');
    assert.equal(await world.dispatch.letters.remove(ACCOUNT, { functionName: 'other' }), 0);
    assert.equal(await world.dispatch.letters.remove(ACCOUNT, {}), 90);
    assert.deepEqual(await world.dispatch.letters.counts(), []);
    await world.close();
  });

  test('a result that was not delivered is delivered again, its function does not run again', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    configure(world, 'f', { onSuccess: 'https://a.example/' });
    world.destinations.answer = async () => ({ status: 400, text: '' });
    await world.dispatch.invokeAsync(eventFor('f'));
    await world.clock.advance(2_000);
    const [letter] = await letters(world);
    assert.ok(letter);
    await assert.rejects(world.dispatch.letters.redrive(ACCOUNT, { number: letter.number }, 'LATEST'), {
      code: 'InvalidArgument',
    });
    world.destinations.answer = async () => ({ status: 200, text: '' });
    assert.equal(await world.dispatch.letters.redrive(ACCOUNT, { number: letter.number }, undefined), 1);
    await world.clock.advance(2_000);
    assert.deepEqual(
      deliveries(world).map(([state]) => state),
      ['Failed', 'Succeeded'],
    );
    assert.equal(world.facts.of('invocation-settled').length, 1);
    await world.close();
  });

  test('a failure that its destination refused runs again with its own payload', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    configure(world, 'f', { onFailure: 'acs:fc:local::functions/gone' });
    world.answer = async () => FAILED;
    await world.dispatch.invokeAsync(eventFor('f'));
    await world.clock.advance(2_000);
    const ran: string[] = [];
    world.answer = async (call) => {
      ran.push(call.input.kind === 'event' ? Buffer.from(call.input.payload).toString() : '');
      return { errorType: undefined, payload: Buffer.from('') };
    };
    assert.equal(await world.dispatch.letters.redrive(ACCOUNT, { functionName: 'f' }, undefined), 1);
    await world.clock.advance(2_000);
    assert.deepEqual(ran, ['"in"']);
    await world.close();
  });
});
