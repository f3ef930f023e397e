import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { LIMITS } from '../../../src/core/domain/limits.ts';
import type { InvokeAnswer } from '../../../src/core/ports/dispatch.ts';
import { InstanceStartError, type StartFailure } from '../../../src/core/ports/node-pool.ts';
import { settle } from '../scheduler/simulated-clock.ts';
import { ACCOUNT } from '../scheduler/world.ts';
import { DispatchWorld, textOf } from './dispatch-world.ts';

function coded(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TidemillError && error.code === code;
}

describe('sync calls', () => {
  test('an answer with its timings, facts, and a slot that comes back', async () => {
    const world = await DispatchWorld.open();
    const spec = world.catalog.put('f');
    world.answer = async (call) => {
      call.onOutput?.('hello\nwor');
      call.onOutput?.('ld');
      return world.later(17.45, { errorType: undefined, payload: Buffer.from('out'), memoryMb: 30.99 });
    };
    const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
    const pending = world.dispatch.invoke(world.command(target, { logTail: true }));
    await world.clock.advance(200);
    const answer = await pending;
    assert.equal(textOf(answer.payload), 'out');
    assert.equal(answer.errorType, undefined);
    assert.ok(Math.abs(answer.durationMs - 17.45) < 1e-6);
    assert.equal(
      answer.logTail,
      'FunctionCompute nodejs20 runtime inited.\r\nFC Invoke Start RequestId: r1\r\nhello\nworld\nFC Invoke End RequestId: r1\r\n' +
        '\nDuration: 17.45 ms, Billed Duration: 58 ms, Memory Size: 512 MB, Max Memory Used: 30.99 MB',
    );
    assert.equal(world.scheduling.freeSlots(spec.key), 1);
    const [fact] = world.facts.of('invocation-settled');
    assert.equal(fact?.status, 200);
    assert.equal(fact?.billedMs, 58);
    assert.equal(fact?.timings.cold, true);
    const texts = world.facts.of('output-written').map((written) => [written.requestId, written.text]);
    assert.deepEqual(texts, [
      ['r1', 'FunctionCompute nodejs20 runtime inited.'],
      ['r1', 'hello'],
      ['r1', 'world'],
    ]);
    await world.close();
  });

  test('200 calls at once each get their own answer', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    world.answer = (call) =>
      world.later(20, {
        errorType: undefined,
        payload: call.input.kind === 'event' ? call.input.payload : Buffer.of(),
      });
    const target = await world.dispatch.resolve(ACCOUNT, 'f', 'LATEST');
    const calls = Array.from({ length: 200 }, (_, i) =>
      world.dispatch.invoke(
        world.command(target, { requestId: `r${i}`, input: { kind: 'event', payload: Buffer.from(`p${i}`) } }),
      ),
    );
    await world.clock.advance(5_000);
    const answers = await Promise.all(calls);
    assert.deepEqual(
      answers.map((answer) => textOf(answer.payload)),
      calls.map((_, i) => `p${i}`),
    );
    await world.close();
  });

  test('a function error is an answer', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    const payload = Buffer.from('{"errorMessage":"oops","errorType":"Error","stackTrace":[]}');
    world.answer = async () => ({ errorType: 'UnhandledInvocationError', payload });
    const answer = await invokeOne(world);
    assert.equal(answer.errorType, 'UnhandledInvocationError');
    assert.equal(world.facts.of('invocation-settled')[0]?.errorMessage, 'oops');
    await world.close();
  });

  test('sizes and hops have limits', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
    const payload = new Uint8Array(LIMITS.syncPayloadBytes + 1);
    await assert.rejects(
      world.dispatch.invoke(world.command(target, { input: { kind: 'event', payload } })),
      coded('EntityTooLarge'),
    );
    const lineage = { hops: LIMITS.hopsDefault, rootRequestId: 'r' };
    await assert.rejects(world.dispatch.invoke(world.command(target, { lineage })), coded('LimitExceededError'));
    await world.close();
  });
});

describe('instances that fail', () => {
  test('time runs out: the field says so, the instance is replaced', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', { timeout: 3 });
    world.answer = () => new Promise(() => {});
    const answer = await invokeOne(world, 4_000);
    assert.equal(answer.errorType, 'UnhandledInvocationError');
    assert.match(textOf(answer.payload), /Function timed out after 3 seconds \(maxMemoryUsage: 0\.00 MB\)/);
    assert.ok(answer.durationMs >= 3_000 && answer.durationMs < 3_050, `${answer.durationMs} ms`);
    assert.equal(world.pool.kills[0]?.[1], 'timeout');
    assert.equal(world.pool.running.size, 0);
    await world.close();
  });

  for (const [reason, pattern] of [
    ['oom', /"errorType":"FunctionOOMError"/],
    ['crash', /Process exited unexpectedly before completing request \(duration: 50ms, maxMemoryUsage: 2\.00MB\)/],
  ] as const) {
    test(`an instance that ends by ${reason}`, async () => {
      const world = await DispatchWorld.open();
      world.catalog.put('f');
      world.answer = (_call, id) => {
        world.pool.use(id, 2 * 1_048_576);
        world.clock.after(50, () => world.pool.exit(id, reason));
        return new Promise(() => {});
      };
      const answer = await invokeOne(world, 2_000);
      assert.equal(answer.errorType, 'UnhandledInvocationError');
      assert.match(textOf(answer.payload), pattern);
      assert.equal(answer.maxMemoryMb, 2);
      await world.close();
    });
  }

  test('a connection that breaks before the exit is announced', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    world.answer = (_call, id) => {
      world.clock.after(50, () => world.links.get(id)?.close());
      return new Promise(() => {});
    };
    world.pool.kill = async (id) => {
      world.clock.after(30, () => world.pool.exit(id, 'oom'));
    };
    const answer = await invokeOne(world, 2_000);
    assert.match(textOf(answer.payload), /FunctionOOMError/);
    await world.close();
  });

  const starts: [StartFailure['kind'], string, 'answer' | 'error', string][] = [
    ['initialization', 'nodejs20', 'answer', 'InitializationError'],
    ['load', 'nodejs20', 'answer', 'UnhandledInvocationError'],
    ['exited', 'nodejs20', 'answer', 'UnhandledInvocationError'],
    ['not-started', 'custom', 'error', 'FunctionNotStarted'],
    ['exited', 'custom.debian12', 'error', 'CAExited'],
    ['no-capacity', 'nodejs20', 'error', 'ResourceThrottled'],
    ['platform', 'nodejs20', 'error', 'InternalServerError'],
  ];
  for (const [kind, runtime, shape, name] of starts) {
    test(`a start that fails (${kind}, ${runtime}) becomes ${name}`, async () => {
      const world = await DispatchWorld.open();
      world.catalog.put('f', { runtime });
      const payload = '{"errorMessage":"boom","errorType":"SyntaxError","stackTrace":[]}';
      const failure = { kind, message: 'no start', startLog: 'the log', ...(shape === 'answer' ? { payload } : {}) };
      world.pool.fail = () => new InstanceStartError(failure);
      const pending = invokeOne(world);
      if (shape === 'error') await assert.rejects(pending, coded(name));
      else {
        const answer = await pending;
        assert.equal(answer.errorType, name);
        assert.equal(textOf(answer.payload), payload);
      }
      assert.equal(world.facts.of('invocation-settled').length, 1);
      assert.equal(world.facts.of('output-written')[0]?.text, 'the log');
      await world.close();
    });
  }
});

describe('callers that leave', () => {
  test('while queued: out of the queue', async () => {
    const world = await DispatchWorld.open();
    const spec = world.catalog.put('f');
    const caller = new AbortController();
    const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
    const rejected = assert.rejects(
      world.dispatch.invoke(world.command(target, { signal: caller.signal })),
      coded('ClientClosedRequest'),
    );
    await world.clock.advance(20);
    caller.abort();
    await rejected;
    await world.clock.advance(200);
    assert.equal(world.scheduling.freeSlots(spec.key), 1);
    assert.equal(world.facts.of('invocation-settled')[0]?.status, 499);
    await world.close();
  });

  for (const [concurrency, kills, free] of [
    [1, 1, 0],
    [4, 0, 4],
  ] as const) {
    test(`while running, ${concurrency} per instance`, async () => {
      const world = await DispatchWorld.open();
      const spec = world.catalog.put('f', { instanceConcurrency: concurrency, runtime: 'custom' });
      world.answer = () => new Promise(() => {});
      const caller = new AbortController();
      const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
      const rejected = assert.rejects(
        world.dispatch.invoke(world.command(target, { signal: caller.signal })),
        /Invocation canceled by client/,
      );
      await world.clock.advance(200);
      caller.abort();
      await rejected;
      assert.equal(world.pool.kills.length, kills);
      assert.equal(world.scheduling.freeSlots(spec.key), free);
      await world.close();
    });
  }
});

describe('streamed answers', () => {
  async function* pieces(world: DispatchWorld, count: number): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < count; i++) yield await world.later(100, Buffer.from(`${i}`));
    if (count === 0) await new Promise(() => {});
  }

  async function streaming(count: number, timeout = 60) {
    const world = await DispatchWorld.open();
    const spec = world.catalog.put('f', { runtime: 'custom', timeout });
    world.answer = async () => ({
      errorType: undefined,
      payload: pieces(world, count),
      reply: { status: 201, headers: [] },
    });
    const caller = new AbortController();
    const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
    const call = { method: 'GET', target: '/', headers: [], body: new Uint8Array(0) };
    const pending = world.dispatch.invoke(
      world.command(target, { signal: caller.signal, input: { kind: 'http', call } }),
    );
    await world.clock.advance(150);
    const answer = await pending;
    if (answer.payload instanceof Uint8Array) throw new Error('expected a stream');
    return { world, spec, caller, payload: answer.payload, status: answer.reply?.status };
  }

  test('hold their slot to the end', async () => {
    const { world, spec, payload, status } = await streaming(3);
    assert.equal(status, 201);
    assert.equal(world.scheduling.freeSlots(spec.key), 0);
    const read = readAll(payload);
    await world.clock.advance(1_000);
    assert.deepEqual(await read, ['0', '1', '2']);
    assert.equal(world.scheduling.freeSlots(spec.key), 1);
    assert.ok((world.facts.of('invocation-settled')[0]?.durationMs ?? 0) >= 300);
    await world.close();
  });

  test('are cut when the time runs out', async () => {
    const { world, spec, payload } = await streaming(1_000, 1);
    const read = assert.rejects(readAll(payload), /timed out after 1 seconds/);
    await world.clock.advance(3_000);
    await read;
    assert.equal(world.scheduling.freeSlots(spec.key), 0);
    assert.equal(world.pool.kills[0]?.[1], 'timeout');
    await world.close();
  });

  test('are cut when the time runs out while nothing comes', async () => {
    const { world, payload } = await streaming(0, 1);
    const read = assert.rejects(readAll(payload), /timed out after 1 seconds/);
    await world.clock.advance(3_000);
    await read;
    await world.close();
  });

  test('end when the caller leaves, also when nobody reads', async () => {
    const { world, caller } = await streaming(1_000);
    caller.abort();
    await settle();
    assert.equal(world.pool.kills.length, 1);
    assert.equal(world.facts.of('invocation-settled')[0]?.status, 499);
    await world.close();
  });
});

describe('output beside the calls', () => {
  test('what an instance wrote before anybody said whose it is arrives all the same', async () => {
    const world = await DispatchWorld.open();
    const spec = world.catalog.put('f');
    await settle();
    world.pool.found = [{ instanceId: 'c-old', nodeId: 'n', spec, address: { kind: 'frames', path: 'c-old' } }];
    world.pool.output('c-old', 'written while no server was there');
    world.pool.output('c-unknown', 'of nobody');
    await settle();
    const texts = world.facts.of('output-written').map((fact) => [fact.functionName, fact.text]);
    assert.deepEqual(texts, [['f', 'written while no server was there']]);
    await world.close();
  });

  test('goes to the one call in flight, its log tail, or the last call', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f');
    let instance = '';
    world.answer = async (_call, id) => {
      instance = id;
      world.pool.output(id, 'from a child process');
      return { errorType: undefined, payload: Buffer.from('') };
    };
    const answer = await invokeOne(world, 200, { logTail: true });
    assert.match(answer.logTail ?? '', /from a child process\nFC Invoke End/);
    world.pool.output(instance, 'late');
    const ids = world.facts.of('output-written').map((fact) => [fact.text, fact.requestId]);
    assert.deepEqual(ids.slice(1), [
      ['from a child process', 'r1'],
      ['late', 'r1'],
    ]);
    await world.close();
  });

  test('of custom runtimes is split by the request ids it names', async () => {
    const world = await DispatchWorld.open();
    world.catalog.put('f', { runtime: 'custom', instanceConcurrency: 2 });
    world.answer = (_call, id) => {
      world.pool.output(id, 'unknown\nFC Invoke Start RequestId: x-1\na\nb\nFC Invoke End RequestId: x-1\nafter');
      return world.later(10, { errorType: undefined, payload: Buffer.from('') });
    };
    await invokeOne(world, 300);
    const texts = world.facts.of('output-written').map((fact) => [fact.requestId, fact.text]);
    assert.deepEqual(texts.slice(1), [
      ['r1', 'unknown'],
      ['x-1', 'FC Invoke Start RequestId: x-1\na\nb\nFC Invoke End RequestId: x-1'],
      ['r1', 'after'],
    ]);
    await world.close();
  });
});

test('warm starts an instance without a call, and tells why it cannot', async () => {
  const world = await DispatchWorld.open();
  world.catalog.put('f');
  const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
  const warmed = world.dispatch.warm(target);
  await world.clock.advance(200);
  assert.match((await warmed).startLog, /inited/);
  const told = world.facts.of('output-written').map((written) => written.text);
  assert.deepEqual(told, ['FunctionCompute nodejs20 runtime inited.']);
  assert.equal([...world.links.values()][0]?.calls.length, 0);
  world.catalog.put('g');
  world.pool.fail = () => new InstanceStartError({ kind: 'load', message: 'bad code', startLog: '' });
  const failing = world.dispatch.warm(await world.dispatch.resolve(ACCOUNT, 'g', undefined));
  const rejected = assert.rejects(failing, (error) => error instanceof InstanceStartError);
  await world.clock.advance(200);
  await rejected;
  await world.close();
});

test('drain lets running calls finish and refuses new ones; nothing is left behind', async () => {
  const world = await DispatchWorld.open();
  world.catalog.put('f');
  world.answer = () => world.later(500, { errorType: undefined, payload: Buffer.from('done') });
  const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
  const running = world.dispatch.invoke(world.command(target));
  await world.clock.advance(150);
  const drained = world.dispatch.drain();
  await assert.rejects(world.dispatch.invoke(world.command(target)), coded('ResourceThrottled'));
  await world.clock.advance(1_000);
  await drained;
  assert.equal(textOf((await running).payload), 'done');
  await world.close();
  assert.equal(world.clock.pending, 0);
});

async function invokeOne(world: DispatchWorld, ms = 500, more = {}): Promise<InvokeAnswer> {
  const target = await world.dispatch.resolve(ACCOUNT, 'f', undefined);
  const pending = world.dispatch.invoke(world.command(target, more));
  pending.catch(() => {}); // awaited below, after time has passed
  await world.clock.advance(ms);
  return pending;
}

async function readAll(payload: AsyncIterable<Uint8Array>): Promise<string[]> {
  const texts: string[] = [];
  for await (const piece of payload) texts.push(Buffer.from(piece).toString());
  return texts;
}
