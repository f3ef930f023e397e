import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { HttpCall } from '../../../src/core/domain/invocation.ts';
import type { InvokeCommand } from '../../../src/core/ports/dispatch.ts';
import { answerOf } from '../door-world.ts';
import { HttpWorld } from './http-world.ts';

const world = new HttpWorld();
before(async () => {
  await world.start();
  world.trigger('custom-web');
});
after(() => world.server.close());

function callOf({ input }: InvokeCommand): HttpCall {
  assert.equal(input.kind, 'http');
  return (input as { call: HttpCall }).call;
}

async function text(body: HttpCall['body']): Promise<string> {
  if (body instanceof Uint8Array) return Buffer.from(body).toString();
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('the request passes as it came, without what belongs to connection or platform', async () => {
  let received = '';
  world.reply = async (command) => {
    received = await text(callOf(command).body);
    return answerOf(Buffer.from('created'), {
      reply: {
        status: 201,
        headers: [
          ['Content-Type', 'text/html'],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
          ['X-Fc-Status', '404'],
          ['Server', 'me'],
          ['Content-Disposition', 'inline'],
          ['Transfer-Encoding', 'chunked'],
        ],
      },
    });
  };
  const { status, headers, body } = await world.call('PUT', '/~custom-web/p%20q/?a=1&a=%32', {
    headers: {
      'X-Own': 'v',
      'x-fc-request-id': 'my-request-1',
      'X-Fc-Account-Id': 'forged',
      connection: 'close, x-hop',
      'x-hop': '1',
      te: 'trailers',
    },
    body: 'payload',
  });
  const call = callOf(world.last as InvokeCommand);
  assert.deepEqual([call.method, call.target, received], ['PUT', '/p%20q/?a=1&a=%32', 'payload']);
  const names = call.headers.map(([name]) => name.toLowerCase());
  assert.ok(names.includes('x-own') && names.includes('host'));
  for (const gone of ['x-fc-request-id', 'x-fc-account-id', 'connection', 'x-hop', 'te'])
    assert.ok(!names.includes(gone), gone);
  assert.deepEqual([status, body.toString(), headers['content-type']], [201, 'created', 'text/html']);
  assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
  assert.deepEqual(
    [headers['x-fc-status'], headers['server'], headers['content-disposition']],
    [undefined, undefined, 'attachment'],
  );
  assert.equal(headers['x-fc-request-id'], 'my-request-1');
});

test('both directions stream: the answer starts before the request has ended', async () => {
  world.reply = async (command) => {
    const { body } = callOf(command);
    assert.ok(!(body instanceof Uint8Array));
    return answerOf(body, { reply: { status: 200, headers: [] } });
  };
  const out = request(world.server.url, { method: 'POST', path: '/~custom-web/' });
  const echoed: string[] = [];
  await new Promise<void>((resolve, reject) => {
    out.on('error', reject);
    out.on('response', (res) => {
      res.on('data', (chunk: Buffer) => {
        echoed.push(chunk.toString());
        if (echoed.length === 3) out.end();
        else out.write(`part${echoed.length}`);
      });
      res.on('end', resolve);
    });
    out.write('part0');
  });
  assert.deepEqual(echoed, ['part0', 'part1', 'part2']);
});

test('requests without a body have none, HEAD keeps the length of what it does not send', async () => {
  world.reply = async (command) => {
    assert.equal(await text(callOf(command).body), '');
    return answerOf(Buffer.alloc(0), { reply: { status: 200, headers: [['Content-Length', '1234']] } });
  };
  const { status, headers, body } = await world.call('HEAD', '/~custom-web/');
  assert.deepEqual([status, headers['content-length'], body.length], [200, '1234', 0]);
});

test('a function that died or timed out is 502; a reply passes whatever its status', async () => {
  world.reply = async () => answerOf(Buffer.from('{}'), { errorType: 'UnhandledInvocationError' });
  const dead = await world.call('GET', '/~custom-web/');
  assert.deepEqual([dead.status, dead.body.toString()], [502, 'Internal Server Error']);
  world.reply = async () =>
    answerOf(Buffer.from('teapot'), { errorType: 'UnhandledInvocationError', reply: { status: 418, headers: [] } });
  const own = await world.call('GET', '/~custom-web/');
  assert.deepEqual([own.status, own.body.toString()], [418, 'teapot']);
});

test('headers beyond 8 KB are BadResponse, and the slot comes back', async () => {
  let reason: unknown;
  world.reply = async ({ signal }) => {
    signal.addEventListener('abort', () => (reason = signal.reason));
    const forever = (async function* () {
      yield Buffer.from('x');
    })();
    return answerOf(forever, { reply: { status: 200, headers: [['x-large', 'a'.repeat(8200)]] } });
  };
  const { status, body } = await world.call('GET', '/~custom-web/');
  assert.deepEqual([status, (JSON.parse(body.toString()) as { Code: string }).Code], [502, 'BadResponse']);
  assert.ok(reason instanceof TidemillError);
});

test('a request body beyond 32 MB fails while it streams', async () => {
  world.reply = async (command) => {
    await text(callOf(command).body);
    return answerOf(Buffer.alloc(0), { reply: { status: 200, headers: [] } });
  };
  const big = request(world.server.url, {
    method: 'POST',
    path: '/~custom-web/',
    headers: { 'transfer-encoding': 'chunked' },
  });
  const status = await new Promise((resolve, reject) => {
    big.on('error', reject).on('response', (res) => {
      res.resume();
      resolve(res.statusCode);
    });
    for (let i = 0; i < 33; i++) big.write(Buffer.alloc(1024 * 1024));
    big.end();
  });
  assert.equal(status, 400);
});

test('a client that leaves a stream aborts the call and stops the source', async () => {
  let stopped: (value: unknown) => void = () => {};
  const done = new Promise((resolve) => (stopped = resolve));
  world.reply = async ({ signal }) =>
    answerOf(
      (async function* () {
        try {
          for (;;) {
            yield Buffer.alloc(1000);
            await new Promise((resolve) => setImmediate(resolve));
          }
        } finally {
          stopped(signal.reason);
        }
      })(),
      { reply: { status: 200, headers: [] } },
    );
  const out = request(world.server.url, { path: '/~custom-web/' });
  out.on('error', () => {});
  out.on('response', (res) => res.once('data', () => out.destroy()).on('error', () => {}));
  out.end();
  const reason = await done;
  assert.ok(reason instanceof TidemillError && reason.code === 'ClientClosedRequest');
});
