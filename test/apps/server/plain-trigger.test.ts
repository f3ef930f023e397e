import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { openListenSocket } from '../../../src/adapters/listen-socket/index.ts';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { JwtAuth } from '../../../src/core/domain/trigger-auth.ts';
import type { InvokeAnswer, InvokeCommand } from '../../../src/core/ports/dispatch.ts';
import { type HttpListener, listenOn } from '../../../src/apps/server/http-listener.ts';
import { answerOf } from '../../doors/door-world.ts';
import { HttpWorld } from '../../doors/http/http-world.ts';

/** One door behind two listeners: `fast` reads plain requests itself, `full` leaves everything to `node:http`. */
const world = new HttpWorld();
const NOW = Date.UTC(2026, 0, 1);
let fast: HttpListener;
let full: HttpListener;
let plainCalls = 0;
const releases: (() => void)[] = [];

before(async () => {
  const door = world.door(() => NOW);
  const listen = async (plain: boolean): Promise<HttpListener> => {
    const socket = await openListenSocket('127.0.0.1', 0);
    releases.push(() => socket.dispose());
    return listenOn({
      descriptor: socket.descriptor,
      handle: (req, res) => door.handle(req, res),
      newId: () => 'id',
      clock: systemClock,
      ...(plain
        ? {
            plain: {
              taken: door.calls,
              handle: (exchange) => {
                plainCalls++;
                door.call(exchange);
              },
            },
          }
        : {}),
    });
  };
  fast = await listen(true);
  full = await listen(false);
  world.trigger('web');
  world.trigger('custom-web');
  world.trigger('posts', { methods: ['POST'] });
  world.trigger('inside', { disableUrlInternet: true });
  world.trigger('signed', { authType: 'function' });
  world.triggers.set('hook', {
    type: 'eventbridge',
    enable: true,
    source: { kind: 'webhook', provider: 'GitHub', secret: 'a long secret', events: [] },
    pattern: {},
    schema: 'CloudEvents',
    domainPrefix: 'hook',
  });
  for (const prefix of ['claims', 'custom-claims']) world.trigger(prefix, { authType: 'jwt', auth: JWT });
  world.trigger('tokens', {
    authType: 'bearer',
    auth: { kind: 'bearer', tokens: [{ name: 't', data: 'secret', enable: true }] },
  } as never);
  world.trigger('users', {
    authType: 'basic',
    auth: { kind: 'basic', users: [{ name: 'u', password: 'p' }] },
  } as never);
});
after(async () => {
  await Promise.all([fast.drain(0), full.drain(0)]);
  for (const release of releases) release();
});

const SECRET = Buffer.alloc(64, 9);
const JWT: JwtAuth = {
  kind: 'jwt',
  keys: [{ kty: 'oct', k: SECRET.toString('base64url') }],
  lookup: [
    { position: 'header', name: 'authorization', prefix: 'Bearer' },
    { position: 'form', name: 'jwt', prefix: '' },
  ],
  pass: [
    { position: 'header', claim: 'uid', as: 'x-uid' },
    { position: 'form', claim: 'uid', as: 'user' },
  ],
  paths: { mode: 'except', patterns: ['/a/*'] },
};
const TOKEN = await new SignJWT({ uid: 'me' }).setProtectedHeader({ alg: 'HS256' }).sign(SECRET);

interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly chunked: boolean;
}

/** What the function does. `stream`: in pieces; `announced`: with its length. */
interface Behaviour {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly base64: boolean;
  readonly kind: 'object' | 'raw' | 'failed' | 'refused' | 'stream' | 'announced';
}

function answerTo(command: InvokeCommand, behaviour: Behaviour): InvokeAnswer {
  const { status, headers, body, base64, kind } = behaviour;
  if (kind === 'refused') throw new TidemillError('ResourceThrottled', 'too many');
  if (kind === 'failed') return answerOf(Buffer.from('{}'), { errorType: 'UnhandledInvocationError', logTail: 'log' });
  if (command.input.kind === 'event') {
    if (kind === 'raw') return answerOf(Buffer.from(body));
    const value = {
      statusCode: status,
      headers: Object.fromEntries(headers),
      body: base64 ? Buffer.from(body).toString('base64') : body,
      isBase64Encoded: base64,
    };
    return answerOf(Buffer.from(JSON.stringify(value)));
  }
  const bytes = Buffer.from(body);
  const announced = [...headers, ['Content-Length', String(bytes.length)]] as const;
  const reply = { status, headers: kind === 'announced' ? announced : headers };
  if (kind === 'raw' || kind === 'object') return answerOf(bytes, { reply });
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
  }
  return answerOf(pieces(), { reply });
}

interface Seen {
  readonly status: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** What the platform was asked to do. */
  readonly asked: unknown;
}

async function textOf(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> {
  if (body instanceof Uint8Array) return Buffer.from(body).toString('latin1');
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString('latin1');
}

async function seenBy(listener: HttpListener, call: Call, behaviour: Behaviour): Promise<Seen> {
  world.last = undefined;
  world.accepted = undefined;
  world.webhook = undefined;
  let asked: unknown;
  world.reply = async (command) => {
    const { input, caller, sessionId, logTail, lineage, requestId } = command;
    const given =
      input.kind === 'event'
        ? Buffer.from(input.payload).toString()
        : { ...input.call, body: await textOf(input.call.body) };
    asked = { given, caller, sessionId, logTail, lineage, requestId };
    return answerTo(command, behaviour);
  };
  const agent = new Agent({ keepAlive: true });
  try {
    const seen = await new Promise<Omit<Seen, 'asked'>>((resolve, reject) => {
      const length = call.chunked
        ? { 'transfer-encoding': 'chunked' }
        : { 'content-length': String(Buffer.byteLength(call.body ?? '')) };
      const out = request(
        {
          agent,
          host: '127.0.0.1',
          port: listener.port,
          method: call.method,
          path: call.path,
          headers: { host: 'h', ...call.headers, ...(call.body === undefined ? {} : length) },
        },
        (res) => {
          const parts: Buffer[] = [];
          res.on('data', (part: Buffer) => parts.push(part));
          res.on('error', reject);
          res.on('end', () => {
            const lines: string[] = [];
            for (let i = 0; i + 1 < res.rawHeaders.length; i += 2) {
              const name = (res.rawHeaders[i] ?? '').toLowerCase();
              if (name !== 'date') lines.push(`${name}: ${res.rawHeaders[i + 1]}`);
            }
            resolve({
              status: `${res.statusCode} ${res.statusMessage}`,
              headers: lines.sort(),
              body: Buffer.concat(parts).toString('latin1'),
            });
          });
        },
      );
      out.on('error', reject);
      out.end(call.body);
    });
    return { ...seen, asked: asked ?? world.accepted ?? world.webhook };
  } finally {
    agent.destroy();
  }
}

const headers = fc.dictionary(
  fc.constantFrom(
    'origin',
    'cookie',
    'authorization',
    'x-fc-log-type',
    'x-fc-invocation-type',
    'x-fc-async-task-id',
    'x-tidemill-trace',
    'x-own',
    'content-type',
    'user-agent',
  ),
  fc.constantFrom(
    'Bearer secret',
    'Bearer wrong',
    `Bearer ${TOKEN}`,
    'application/x-www-form-urlencoded',
    `Basic ${Buffer.from('u:p').toString('base64')}`,
    'Tail',
    'Async',
    'text/plain',
    'application/json; charset=utf-8',
    'timings',
    'https://page.example',
    'a=1; b=2',
  ),
  { maxKeys: 4 },
);

const calls: fc.Arbitrary<Call> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'),
  path: fc
    .tuple(
      fc.constantFrom(
        'web',
        'web',
        'custom-web',
        'custom-web',
        'posts',
        'inside',
        'signed',
        'tokens',
        'users',
        'claims',
        'custom-claims',
        'hook',
        'none',
      ),
      fc.constantFrom('', '/', '/a/b%20c?x=1&x=%32&__proto__=2', '?q', '/~web/', '//x'),
    )
    .map(([prefix, rest]) => `/~${prefix}${rest}`),
  headers: headers.map((some) => ({ ...some, 'x-fc-request-id': 'the-request-1' })),
  body: fc.option(
    fc.oneof(fc.string({ maxLength: 40 }), fc.constant('x'.repeat(3_000)), fc.constant(`a=1&jwt=${TOKEN}`)),
    { nil: undefined },
  ),
  chunked: fc.boolean(),
});

const behaviours: fc.Arbitrary<Behaviour> = fc
  .record({
    status: fc.constantFrom(200, 200, 201, 204, 299, 304, 404, 500),
    headers: fc.array(
      fc.tuple(
        fc.constantFrom(
          'X-A',
          'Set-Cookie',
          'Content-Type',
          'Access-Control-Allow-Origin',
          'Server',
          'X-Fc-Own',
          'Trailer',
        ),
        fc.constantFrom('a', 'text/html', 'b=1; Path=/', '*', 'é', 'bad\r\nvalue'),
      ),
      { maxLength: 4 },
    ),
    body: fc.string({ maxLength: 60 }),
    base64: fc.boolean(),
    kind: fc.constantFrom('object', 'object', 'raw', 'failed', 'refused', 'stream', 'announced'),
  })
  // node:http writes a head that goes out before its body as UTF-8, and such a value becomes two characters
  .filter(
    ({ kind, headers: some }) =>
      !((kind === 'stream' || kind === 'announced') && some.some(([, value]) => value === 'é')),
  );

test('whatever is asked of a trigger and whatever its function answers: both ways ask and answer the same', async () => {
  plainCalls = 0;
  await fc.assert(
    fc.asyncProperty(calls, behaviours, async (call, behaviour) => {
      assert.deepEqual(await seenBy(fast, call, behaviour), await seenBy(full, call, behaviour));
    }),
    { numRuns: 800 },
  );
  assert.ok(plainCalls > 200, `only ${plainCalls} were plain`);
});

test('denials of requests that came without node:http are told to the audit', async () => {
  world.refused.length = 0;
  const call = { method: 'GET', body: undefined, chunked: false, headers: { 'x-fc-request-id': 'the-request-2' } };
  const behaviour = { status: 200, headers: [], body: '', base64: false, kind: 'raw' } as const;
  for (const path of ['/~tokens/', '/~inside/', '/~web/']) await seenBy(fast, { ...call, path }, behaviour);
  assert.deepEqual(world.refused, ['the-request-2 Unauthorized', 'the-request-2 AccessDenied']);
});
