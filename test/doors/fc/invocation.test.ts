import assert from 'node:assert/strict';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { after, before, beforeEach, test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { AsyncCommand, InvokeAnswer, InvokeCommand } from '../../../src/core/ports/dispatch.ts';
import { answerOf, targetOf } from '../door-world.ts';
import { signedHeaders } from '../signing.ts';
import { FcModels, type FcWorld, fcWorld } from './fc-world.ts';

let world: FcWorld;
let invoked: InvokeCommand | undefined;
let accepted: AsyncCommand | undefined;
let reply: (command: InvokeCommand) => Promise<InvokeAnswer>;

before(async () => {
  world = await fcWorld({
    dispatch: {
      resolve: async (_account, name, qualifier) => {
        if (name !== 'f') throw new TidemillError('FunctionNotFound', `function '${name}' does not exist`);
        return targetOf('nodejs20', qualifier ?? 'LATEST');
      },
      invoke: (command) => {
        invoked = command;
        return reply(command);
      },
      invokeAsync: async (command) => {
        accepted = command;
        return { taskId: command.taskId ?? command.requestId, requestId: command.requestId };
      },
    },
  });
});
beforeEach(() => {
  invoked = undefined;
  accepted = undefined;
  reply = async ({ input }) => answerOf(input.kind === 'event' ? input.payload : Buffer.alloc(0));
});
after(() => world.close());

async function invoke(body: Buffer | undefined, headers: Record<string, string> = {}, qualifier?: string) {
  const answer = await world.client.invokeFunctionWithOptions(
    'f',
    new FcModels.InvokeFunctionRequest({
      ...(body === undefined ? {} : { body: Readable.from([body]) }),
      ...(qualifier === undefined ? {} : { qualifier }),
    }),
    new FcModels.InvokeFunctionHeaders({ commonHeaders: headers }),
    { readTimeout: 20_000, connectTimeout: 20_000, toMap: () => ({}) },
  );
  const chunks: Buffer[] = [];
  for await (const chunk of answer.body ?? Readable.from([])) chunks.push(chunk as Buffer);
  return { status: answer.statusCode, headers: answer.headers ?? {}, body: Buffer.concat(chunks) };
}

test('a payload of any bytes goes in and comes back with all headers', async () => {
  const payload = Buffer.from([0, 255, 10, 13, 128]);
  const { status, headers, body } = await invoke(payload, {}, '7');
  assert.equal(status, 200);
  assert.deepEqual(body, payload);
  assert.equal(headers['content-type'], 'application/octet-stream');
  assert.match(headers['x-fc-request-id'] ?? '', /^1-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{12}$/);
  assert.equal(headers['x-fc-request-id'], invoked?.requestId);
  assert.equal(headers['x-fc-instance-id'], 'c-1-2-3');
  assert.equal(headers['x-fc-code-checksum'], '42');
  assert.equal(headers['x-fc-invocation-duration'], '12');
  assert.equal(headers['x-fc-max-memory-usage'], '30.99');
  assert.equal(headers['x-fc-invocation-service-version'], '7');
  assert.equal(headers['x-fc-invocation-function-version'], '7');
  assert.equal(headers['x-fc-error-type'], undefined);
  assert.equal(headers['x-fc-log-result'], undefined);
});

test('a function error is 200 with its type; the log tail travels as base64', async () => {
  const payload = Buffer.from('{"errorMessage":"oops"}');
  reply = async () => answerOf(payload, { errorType: 'UnhandledInvocationError', logTail: 'FC Invoke Start\r\né' });
  const { status, headers, body } = await invoke(undefined, { 'x-fc-log-type': 'Tail' });
  assert.equal(status, 200);
  assert.equal(invoked?.logTail, true);
  assert.equal(headers['x-fc-error-type'], 'UnhandledInvocationError');
  assert.equal(Buffer.from(headers['x-fc-log-result'] ?? '', 'base64').toString(), 'FC Invoke Start\r\né');
  assert.deepEqual(body, payload);
});

test('a streamed payload arrives whole', async () => {
  const chunks = Array.from({ length: 100 }, (_, i) => Buffer.alloc(20_000, i));
  reply = async () => answerOf(Readable.from(chunks));
  assert.deepEqual((await invoke(undefined)).body, Buffer.concat(chunks));
});

test('async: 202 without a body once the event is durable', async () => {
  const headers = { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': 'task_1', 'x-fc-async-delay': '30' };
  const answer = await invoke(Buffer.from('x'), headers);
  assert.equal(answer.status, 202);
  assert.equal(answer.body.length, 0);
  assert.equal(answer.headers['x-fc-async-task-id'], 'task_1');
  assert.ok(answer.headers['x-fc-request-id']);
  assert.deepEqual([accepted?.taskId, accepted?.delaySeconds, String(accepted?.payload)], ['task_1', 30, 'x']);
});

test('header values that are not of the documented form are refused by name', async () => {
  const wrong: Record<string, string>[] = [
    { 'x-fc-invocation-type': 'Later' },
    { 'x-fc-log-type': 'All' },
    { 'x-fc-invocation-type': 'Async', 'x-fc-async-task-id': '1abc' },
    { 'x-fc-invocation-type': 'Async', 'x-fc-async-delay': '0' },
    { 'x-fc-invocation-type': 'Async', 'x-fc-async-delay': '3601' },
    { 'x-fc-async-delay': '5' },
  ];
  for (const headers of wrong) {
    const last = Object.keys(headers).at(-1) ?? '';
    await assert.rejects(invoke(Buffer.from('x'), headers), (error: { code?: string; message: string }) => {
      assert.equal(error.code, 'InvalidArgument');
      assert.ok(error.message.includes(last), error.message);
      return true;
    });
  }
});

test('payload limits: 128 KB async, 32 MB sync', async () => {
  const tooLarge = { code: 'EntityTooLarge', statusCode: 400 };
  const headers = { 'x-fc-invocation-type': 'Async' };
  assert.equal((await invoke(Buffer.alloc(128 * 1024), headers)).status, 202);
  await assert.rejects(invoke(Buffer.alloc(128 * 1024 + 1), headers), tooLarge);
  await assert.rejects(invoke(Buffer.alloc(32 * 1024 * 1024 + 1)), tooLarge);
  assert.equal(invoked, undefined);
});

test('a request id of the caller is honoured when well-formed', async () => {
  assert.equal(
    (await invoke(undefined, { 'x-fc-request-id': '1-abc-my-own-id' })).headers['x-fc-request-id'],
    '1-abc-my-own-id',
  );
  const replaced = (await invoke(undefined, { 'x-fc-request-id': 'no spaces!' })).headers['x-fc-request-id'];
  assert.match(replaced ?? '', /^1-[0-9a-f]{8}-/);
});

test('errors before the function runs carry code, culprit and remedy', async () => {
  reply = () => Promise.reject(new TidemillError('ResourceExhausted', 'too many instances'));
  await assert.rejects(
    invoke(undefined),
    (error: { code?: string; statusCode?: number; data?: Record<string, unknown> }) => {
      assert.deepEqual([error.code, error.statusCode, error.data?.['Culprit']], ['ResourceExhausted', 429, 'limit']);
      return true;
    },
  );
  reply = () => Promise.reject(new Error('secret detail'));
  await assert.rejects(invoke(undefined), (error: { code?: string; message: string }) => {
    assert.equal(error.code, 'InternalServerError');
    assert.doesNotMatch(error.message, /secret detail/);
    return true;
  });
});

test('a client that goes away aborts the call', async () => {
  const aborted = new Promise<unknown>((resolve) => {
    reply = ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          resolve(signal.reason);
          reject(signal.reason);
        });
        client.destroy();
      });
  });
  const path = '/2023-03-30/functions/f/invocations';
  const client = request(world.server.url + path, {
    method: 'POST',
    headers: signedHeaders({ host: world.server.host, method: 'POST', path }),
  });
  client.on('error', () => {});
  client.end();
  const reason = await aborted;
  assert.ok(reason instanceof TidemillError && reason.code === 'ClientClosedRequest');
});

test('a stream that fails half-way breaks the connection instead of ending the answer', async () => {
  reply = async () =>
    answerOf(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('instance gone');
      })(),
    );
  await assert.rejects(invoke(undefined));
});
