import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { openListenSocket } from '../../../src/adapters/listen-socket/index.ts';
import type { Clock } from '../../../src/core/base/clock.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { Exchange } from '../../../src/doors/wire/exchange.ts';
import { type HttpListener, listenOn } from '../../../src/apps/server/http-listener.ts';

/** A clock whose timers fire when the test says so. */
class HandClock implements Clock {
  at = 1_000;
  private timers: { readonly due: number; readonly action: () => void }[] = [];
  now = (): number => this.at;
  monotonic = (): number => this.at;
  after(delayMs: number, action: () => void) {
    const timer = { due: this.at + delayMs, action };
    this.timers.push(timer);
    return { dispose: () => void (this.timers = this.timers.filter((each) => each !== timer)) };
  }
  advance(ms: number): void {
    this.at += ms;
    const due = this.timers.filter((timer) => timer.due <= this.at);
    this.timers = this.timers.filter((timer) => timer.due > this.at);
    for (const { action } of due) action();
  }
}

let listener: HttpListener;
let release: () => void;
let clock: HandClock;
/** What answers plain requests; each test sets its own. */
let answer: (exchange: Exchange) => void;
let native: string[];
let hosts: string[];
let sockets: Socket[];

beforeEach(async () => {
  clock = new HandClock();
  native = [];
  hosts = [];
  sockets = [];
  answer = (exchange) => exchange.send(200, ['x-a', 'b'], exchange.body(1_000_000, undefined) as Buffer);
  const socket = await openListenSocket('127.0.0.1', 0);
  release = () => socket.dispose();
  listener = await listenOn({
    descriptor: socket.descriptor,
    handle: (req, res) => {
      native.push(`${req.method} ${req.url}`);
      hosts.push(req.headers.host ?? '', req.rawHeaders[1] ?? '');
      let body = '';
      req.on('data', (chunk) => (body += chunk));
      req.on('end', () => res.end(`native ${body}`));
    },
    plain: { taken: (method, target) => method === 'POST' && target === '/plain', handle: (each) => answer(each) },
    newId: () => 'id',
    clock,
    bounds: { all: 1_000, perAddress: 12 },
  });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await listener.drain(0);
  release();
});

function dial(): Socket {
  const socket = connect(listener.port, '127.0.0.1').setMaxListeners(0);
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

const plain = (body: string, lines = ''): string =>
  `POST /plain HTTP/1.1\r\nHost: h\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Reads until the text is there; what came before it and itself. */
async function until(socket: Socket, wanted: string): Promise<string> {
  let text = '';
  for await (const [chunk] of on(socket)) {
    text += chunk;
    if (text.includes(wanted)) return text;
  }
  throw new Error(`the connection ended after ${JSON.stringify(text)}`);
}

async function* on(socket: Socket): AsyncGenerator<[string]> {
  for (;;) {
    const chunk = socket.read() as string | null;
    if (chunk !== null) yield [chunk];
    else if (socket.readableEnded || socket.destroyed) return;
    else await new Promise((resolve) => socket.once('readable', resolve).once('close', resolve));
  }
}

test('plain requests of one connection are answered one after the other, as node:http would write them', async () => {
  const socket = dial();
  for (const body of ['one', 'two']) {
    socket.write(plain(body));
    const text = await until(socket, body);
    assert.match(
      text,
      /^HTTP\/1\.1 200 OK\r\nx-a: b\r\ncontent-length: 3\r\nDate: \w{3}, [^\r]+ GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=65\r\n\r\n/,
    );
  }
  assert.deepEqual(native, []);
});

test('a body may come later than its head, in pieces', async () => {
  const socket = dial();
  const whole = plain('x'.repeat(50_000));
  socket.write(whole.slice(0, 100));
  for (let at = 100; at < whole.length; at += 20_000) {
    await new Promise((resolve) => socket.write(whole.slice(at, at + 20_000), resolve));
  }
  const text = await until(socket, 'x'.repeat(50_000));
  assert.match(text, /content-length: 50000\r\n/);
  assert.deepEqual(native, []);
});

test('a chunked body may come in a few pieces, and goes to node:http when there are many', async () => {
  const head = 'POST /plain HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';
  const send = (socket: Socket, text: string): Promise<void> =>
    new Promise((resolve) => socket.write(text, () => setImmediate(resolve)));
  const few = dial();
  await once(few, 'connect');
  for (const text of [head, '3\r\none\r\n', '0\r\n\r\n']) await send(few, text);
  assert.match(await until(few, 'one'), /x-a: b\r\ncontent-length: 3\r\n/);
  const many = dial();
  await once(many, 'connect');
  await send(many, `${head}1`);
  const turned = once(many, 'readable');
  for (let i = 0; i < 200; i++) await send(many, i === 0 ? '\r\nx\r\n' : '1\r\nx\r\n');
  await send(many, '0\r\n\r\n');
  await turned;
  await until(many, `native ${'x'.repeat(200)}`);
});

test('anything else is node:http’s from its first byte, and the connection stays there', async () => {
  const socket = dial();
  socket.write(plain('one'));
  await until(socket, 'one');
  socket.write('GET /other HTTP/1.1\r\nHost: h\r\n\r\n');
  await until(socket, 'native ');
  socket.write(plain('two'));
  await until(socket, 'native two');
  assert.deepEqual(native, ['GET /other', 'POST /plain']);
});

test('a head in pieces goes to node:http whole', async () => {
  const socket = dial();
  const whole = plain('body');
  await once(socket, 'connect');
  socket.write(whole.slice(0, 20));
  await new Promise((resolve) => setImmediate(resolve));
  socket.write(whole.slice(20, 40));
  await new Promise((resolve) => setImmediate(resolve));
  socket.write(whole.slice(40));
  await until(socket, 'native body');
});

test('two requests in one piece are both answered, in order, by node:http', async () => {
  const socket = dial();
  socket.write(plain('one') + plain('two'));
  const text = await until(socket, 'native two');
  assert.ok(text.indexOf('native one') < text.indexOf('native two'));
  assert.equal(native.length, 2);
});

test('a request sent ahead waits for the answer of the one that runs', async () => {
  const socket = dial();
  const first = Promise.withResolvers<Exchange>();
  const plainly = answer;
  answer = (exchange) => first.resolve(exchange);
  socket.write(plain('one'));
  const exchange = await first.promise;
  answer = plainly;
  await new Promise((resolve) => socket.write(plain('two') + plain('three').slice(0, 30), resolve));
  await new Promise((resolve) => setImmediate(resolve));
  plainly(exchange);
  socket.write(plain('three').slice(30));
  const text = await until(socket, 'native three');
  assert.match(text, /one.*native two/s, 'with more behind it, the second is for node:http');
});

test('a streamed answer is chunked, at the pace of the client, and the connection lives on', async () => {
  const chunk = Buffer.alloc(64 * 1024, 'y');
  let made = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(0);
    for (; made < 400; made++) yield chunk;
  }
  const plainly = answer;
  answer = (exchange) => void exchange.stream(200, [], source());
  const socket = dial();
  socket.pause();
  socket.write(plain('x'));
  for (let before = -1; ; before = made) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (made > 0 && made === before) break;
  }
  assert.ok(made < 300, `${made} chunks were made for a client that reads none`);
  let size = 0;
  let tail = '';
  for await (const [text] of on(socket)) {
    size += text.length;
    tail = (tail + text).slice(-20);
    if (tail.endsWith('0\r\n\r\n')) break;
  }
  assert.ok(size > 400 * chunk.length);
  answer = plainly;
  socket.write(plain('again'));
  await until(socket, 'again');
});

test('an answer that breaks off breaks the connection', async () => {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw new Error('source failed');
  }
  answer = (exchange) => {
    exchange
      .stream(200, [], source())
      .catch(() => exchange.refuse('id', new TidemillError('InternalServerError', 'x')));
  };
  const socket = dial();
  socket.write(plain('x'));
  let text = '';
  for await (const [part] of on(socket)) text += part;
  assert.match(text, /half/);
  assert.doesNotMatch(text, /\r\n0\r\n\r\n$/);
});

test('errors have the shape of the dialect', async () => {
  answer = (exchange) => exchange.refuse('my-id', new TidemillError('FunctionNotFound', 'no function'));
  const socket = dial();
  socket.write(plain('x'));
  const text = await until(socket, '"Culprit":"caller"}');
  assert.match(text, /^HTTP\/1\.1 404 Not Found\r\ncontent-type: application\/json\r\nx-fc-request-id: my-id\r\n/);
});

test('a header value that would end its line is never written', async () => {
  answer = (exchange) => {
    assert.throws(() => exchange.send(200, ['x-a', 'b\r\nx-evil: 1']), TypeError);
    exchange.refuse('id', new TidemillError('InternalServerError', 'x'));
  };
  const socket = dial();
  socket.write(plain('x'));
  assert.match(await until(socket, 'platform'), /^HTTP\/1\.1 500 /);
});

test('a client that leaves cancels its call', async () => {
  const left = Promise.withResolvers<unknown>();
  answer = ({ cancel }) => cancel.addEventListener('abort', () => left.resolve(cancel.reason));
  const socket = dial();
  socket.write(plain('x'));
  await once(socket, 'connect');
  socket.resetAndDestroy();
  const reason = await left.promise;
  assert.ok(reason instanceof TidemillError && reason.code === 'ClientClosedRequest');
});

test('a client that closes its side while its call runs has left', async () => {
  const left = Promise.withResolvers<void>();
  answer = ({ cancel }) => cancel.addEventListener('abort', () => left.resolve());
  const socket = dial();
  socket.end(plain('x'));
  await left.promise;
});

test('who says nothing is closed after the time for headers, who was served after the keep-alive time', async () => {
  const silent = dial();
  const served = dial();
  served.write(plain('x'));
  await Promise.all([once(silent, 'connect'), until(served, 'x-a')]);
  const closed = once(silent, 'close');
  silent.resume();
  for (let i = 0; i < 8; i++) clock.advance(5_000);
  await closed;
  served.write(plain('again'));
  await until(served, 'again');
  const end = once(served, 'close');
  served.resume();
  for (let i = 0; i < 15; i++) clock.advance(5_000);
  await end;
});

test('a call may last longer than the keep-alive time', async () => {
  const running = Promise.withResolvers<Exchange>();
  const plainly = answer;
  answer = (exchange) => running.resolve(exchange);
  const socket = dial();
  socket.write(plain('late'));
  const exchange = await running.promise;
  for (let i = 0; i < 30; i++) clock.advance(5_000);
  plainly(exchange);
  await until(socket, 'late');
});

test('drain: idle connections close at once, the running call is answered with close', async () => {
  const running = Promise.withResolvers<Exchange>();
  const plainly = answer;
  const idle = dial();
  idle.write(plain('x'));
  await until(idle, 'x-a');
  answer = (exchange) => running.resolve(exchange);
  const busy = dial();
  busy.write(plain('last'));
  const exchange = await running.promise;
  const closed = once(idle, 'close');
  idle.resume();
  const drained = listener.drain(10_000);
  await closed;
  plainly(exchange);
  assert.match(await until(busy, 'last'), /Connection: close\r\n/);
  await drained;
});

test('drain cuts what does not finish', async () => {
  const running = Promise.withResolvers<Exchange>();
  answer = (exchange) => running.resolve(exchange);
  const socket = dial();
  socket.write(plain('x'));
  const { cancel } = await running.promise;
  const left = new Promise<void>((resolve) => cancel.addEventListener('abort', resolve));
  const closed = once(socket, 'close');
  socket.resume();
  await listener.drain(10);
  await Promise.all([closed, left]);
});

test('an interim answer, HTTP/1.0 and garbage are node:http’s', async () => {
  const old = dial();
  old.write('POST /plain HTTP/1.0\r\nContent-Length: 0\r\n\r\n');
  assert.match(await until(old, 'native'), /Connection: close/);
  const garbage = dial();
  garbage.write('\0\0\0\0\r\n\r\n');
  assert.match(await until(garbage, '"Code":"InvalidArgument"'), /^HTTP\/1\.1 400 /);
  const expecting = dial();
  expecting.write('POST /plain HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
  await until(expecting, '100 Continue');
  expecting.write('ok');
  await until(expecting, 'native ok');
});

test('an absolute target is its path, and its host is the host (RFC 9112 3.2.2)', async () => {
  const socket = dial();
  for (const [target, path] of [
    ['http://named:8080/a/b?c=d', '/a/b?c=d'],
    ['HTTP://named:8080?c=d', '/?c=d'],
    ['http://named:8080', '/'],
  ]) {
    socket.write(`GET ${target} HTTP/1.1\r\nHost: other\r\n\r\n`);
    await until(socket, 'native');
    assert.equal(native.at(-1), `GET ${path}`);
    assert.deepEqual(hosts.slice(-2), ['named:8080', 'named:8080']);
  }
});

test('a target that is no URL of ours stays as it is', async () => {
  const socket = dial();
  for (const target of ['http://user@named/a', 'ftp://named/a', 'http:///a', '*']) {
    socket.write(`OPTIONS ${target} HTTP/1.1\r\nHost: other\r\n\r\n`);
    await until(socket, 'native');
    assert.equal(native.at(-1), `OPTIONS ${target}`);
    assert.deepEqual(hosts.slice(-2), ['other', 'other']);
  }
});

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test('a streamed answer that says its length is not chunked, and the connection lives on', async () => {
  const plainly = answer;
  answer = (exchange) => void exchange.stream(200, ['Content-Length', '6'], pieces('abc', '', 'def'));
  const socket = dial();
  socket.write(plain('x'));
  const text = await until(socket, '\r\n\r\nabcdef');
  assert.doesNotMatch(text, /chunked/);
  answer = plainly;
  socket.write(plain('again'));
  await until(socket, 'again');
  assert.deepEqual(native, []);
});

test('a streamed answer that is shorter or longer than it said ends the connection, and nothing more is sent', {
  timeout: 10_000,
}, async () => {
  for (const [length, seen] of [
    ['10', 'abcdef'],
    ['4', 'abc'],
  ] as const) {
    answer = (exchange) => void exchange.stream(200, ['content-length', length], pieces('abc', 'def'));
    const socket = dial();
    socket.write(plain('x'));
    let text = '';
    for await (const [part] of on(socket)) text += part;
    assert.ok(text === '' || text.endsWith(`\r\n\r\n${seen}`), text);
  }
});

test('answers without a body have none, whatever is given', async () => {
  for (const status of [204, 304]) {
    const socket = dial();
    const plainly = answer;
    answer = (exchange) => exchange.answer(status, ['x-a', 'b'], Buffer.from('body'));
    socket.write(plain('x'));
    assert.match(
      await until(socket, '\r\n\r\n'),
      /^HTTP\/1\.1 \d+ [^\r]+\r\nx-a: b\r\nDate: [^\r]+\r\nConnection: keep-alive\r\n/,
    );
    answer = (exchange) => void exchange.stream(status, ['x-a', 'c'], pieces('body'));
    socket.write(plain('x'));
    assert.doesNotMatch(await until(socket, '\r\n\r\n'), /chunked|body/);
    answer = plainly;
    socket.write(plain('again'));
    assert.match(await until(socket, 'again'), /^HTTP/);
  }
});

test('an answer whose length is not what its headers say ends its connection', { timeout: 10_000 }, async () => {
  for (const headers of [['content-length', '3'], []]) {
    answer = (exchange) => exchange.answer(200, headers, Buffer.from('four'));
    const socket = dial();
    socket.write(plain('x'));
    let text = '';
    for await (const [part] of on(socket)) text += part;
    assert.match(text, /Connection: close\r\n\r\nfour$/);
  }
  answer = (exchange) => {
    assert.throws(
      () => exchange.answer(200, ['content-length', '4', 'Content-Length', '3'], Buffer.from('four')),
      TypeError,
    );
    exchange.refuse('id', new TidemillError('InternalServerError', 'x'), ['x-more', 'm']);
  };
  const socket = dial();
  socket.write(plain('x'));
  assert.match(await until(socket, 'platform'), /^HTTP\/1\.1 500 [^\r]+\r\nx-more: m\r\n/);
});

test('a body that stops coming is given up after 30 s, by the small parser and by node:http; one that moves is not', async () => {
  const head = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n`;
  const [small, native1, moving] = [dial(), dial(), dial()];
  answer = () => assert.fail('no body is complete');
  small.write(`${head('/plain')}x`);
  native1.write(`${head('/other')}x`);
  moving.write(`${head('/moving')}x`);
  while (native.length < 2) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closed = Promise.all([once(small, 'close'), once(native1, 'close')]);
  small.resume();
  native1.resume();
  for (let i = 0; i < 9; i++) {
    await new Promise((resolve) => moving.write('y', resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    clock.advance(5_000);
  }
  await closed;
  moving.write('z'.repeat(40));
  await until(moving, 'native xyyyyyyyyyz');
});

test('connections from one address beyond the bound are closed without an answer, until one has ended', async () => {
  const open = Array.from({ length: 12 }, dial);
  for (const socket of open) {
    socket.write(plain('x'));
    await until(socket, 'x-a');
  }
  const beyond = dial().resume();
  await once(beyond, 'close');
  assert.equal(beyond.bytesRead, 0);
  const [first] = open;
  const ended = once(first!, 'close');
  first?.resume();
  first?.end();
  await ended;
  const again = dial();
  again.write(plain('again'));
  await until(again, 'again');
});
