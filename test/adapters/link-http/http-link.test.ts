import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { createHttpControlDialer, createHttpInstanceDialer } from '../../../src/adapters/link-http/index.ts';
import type { FunctionConfig } from '../../../src/core/domain/function.ts';
import type { HttpCall } from '../../../src/core/domain/invocation.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { LinkBrokenError } from '../../../src/core/ports/instance-link.ts';
import { instanceLinkSuite } from '../../../src/core/ports/instance-link.suite.ts';
import { runtimeControlSuite } from '../../../src/core/ports/runtime-control.suite.ts';
import { RuntimeTimeoutError } from '../../../src/core/ports/runtime-control.ts';
import type { Load } from '../../../src/core/protocol/runtime-frames.ts';
import { credentials, eventCall, textOf } from '../../runtimes/started-runtime.ts';
import { versionSpec } from '../../runtimes/version-spec.ts';

const EXERCISE = `
const held = new Map();
const server = require('node:http').createServer(async (req, res) => {
  const pieces = [];
  for await (const piece of req) pieces.push(piece);
  const order = JSON.parse(Buffer.concat(pieces));
  if (order.do === 'echo') res.end(order.data);
  if (order.do === 'fail') res.writeHead(500).end(order.data);
  if (order.do === 'repeat') res.end(order.data.repeat(order.times));
  if (order.do === 'hold') held.set(order.key, () => res.end(order.data));
  if (order.do === 'release') { held.get(order.key)(); res.end(); }
  if (order.do === 'exit') process.exit(3);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

const LIFE = `
const [exercise] = process.argv.slice(1);
const server = require('node:http').createServer((req, res) => {
  if (req.url !== '/initialize' || exercise === 'works') res.end();
  else if (exercise === 'fails') res.writeHead(500).end('no database');
  else if (exercise === 'exits') process.exit(3);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

/** Custom runtimes have nothing to load: the control does not look at the order. */
const noLoad = {} as Load;

/** A custom runtime in a process of its own, once it says where it listens. */
async function startProgram(program: string, args: readonly string[]) {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(process.execPath, ['-e', program, ...args], { stdio: [...stdio], env: {} });
  const exited = once(child, 'exit');
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (text) => resolve(Number(text)));
    child.once('exit', (code) => reject(new Error(`the program ended with ${code} before it listened`)));
  });
  return {
    address: { kind: 'http', host: '127.0.0.1', port } as const,
    async kill(): Promise<void> {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

instanceLinkSuite('HTTP to a custom runtime', async (concurrency) => {
  const { address, kill } = await startProgram(EXERCISE, []);
  const dialer = createHttpInstanceDialer({ region: 'local' });
  const spec = versionSpec('custom.debian12', { instanceConcurrency: concurrency });
  const link = await dialer.dial(address, spec, 1);
  return {
    link,
    async [Symbol.asyncDispose]() {
      link.close();
      await kill();
    },
  };
});

runtimeControlSuite('HTTP to a custom runtime', async (exercise) => {
  const { address, kill } = await startProgram(LIFE, [exercise]);
  const dialer = createHttpControlDialer({ region: 'local', clock: systemClock });
  const control = await dialer.dial(address, 0, versionSpec('custom'));
  return {
    control,
    load: noLoad,
    kill,
    async [Symbol.asyncDispose]() {
      control.close();
      await kill();
    },
  };
});

/** A custom runtime played by the test. */
class PlayedServer implements AsyncDisposable {
  readonly requests: IncomingMessage[] = [];
  private readonly server: Server;

  private constructor(answer: RequestListener) {
    this.server = createServer((request, response) => {
      this.requests.push(request);
      answer(request, response);
    });
  }

  static async start(answer: RequestListener): Promise<PlayedServer> {
    const played = new PlayedServer(answer);
    await new Promise<void>((resolve) => played.server.listen(0, '127.0.0.1', resolve));
    return played;
  }

  get address() {
    return { kind: 'http', host: '127.0.0.1', port: (this.server.address() as AddressInfo).port } as const;
  }

  link(runtime = 'custom', config: Partial<FunctionConfig> = {}) {
    return createHttpInstanceDialer({ region: 'local' }).dial(this.address, versionSpec(runtime, config), 1);
  }

  control(config: Partial<FunctionConfig> = {}) {
    const dialer = createHttpControlDialer({ region: 'local', clock: systemClock });
    return dialer.dial(this.address, 0, versionSpec('custom', config));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function httpCall(call: Partial<HttpCall>): { input: { kind: 'http'; call: HttpCall } } {
  return {
    input: { kind: 'http', call: { method: 'GET', target: '/', headers: [], body: new Uint8Array(0), ...call } },
  };
}

describe('HttpLink', { timeout: 30_000 }, () => {
  it('posts events to /invoke with the headers of the reference', async () => {
    await using server = await PlayedServer.start((_, response) => response.end('ok'));
    const link = await server.link('custom', {
      initializer: { handler: 'on', timeout: 9 },
      logConfig: {
        project: 'p',
        logstore: 's',
        enableRequestMetrics: false,
        enableInstanceMetrics: false,
        logBeginRule: 'None',
      },
    });
    await link.invoke(eventCall('event', { requestId: 'r1', qualifier: 'prod', retryCount: 2 }));
    const [request] = server.requests;
    assert.equal(request?.method, 'POST');
    assert.equal(request?.url, '/invoke');
    const { host: _host, connection: _connection, ...headers } = request?.headers ?? {};
    assert.deepEqual(headers, {
      'content-type': 'application/octet-stream',
      'content-length': '5',
      'x-fc-request-id': 'r1',
      'x-fc-access-key-id': 'ak',
      'x-fc-access-key-secret': 'sk',
      'x-fc-security-token': 'st',
      'x-fc-function-name': 'hello',
      'x-fc-function-handler': 'index.handler',
      'x-fc-function-memory': '512',
      'x-fc-function-timeout': '3',
      'x-fc-function-initializer': 'on',
      'x-fc-initialization-timeout': '9',
      'x-fc-region': 'local',
      'x-fc-account-id': '1234567890123456',
      'x-fc-qualifier': 'prod',
      'x-fc-version-id': '7',
      'x-fc-service-logproject': 'p',
      'x-fc-service-logstore': 's',
      'x-fc-control-path': '/invoke',
      'x-fc-retry-count': '2',
    });
    link.close();
  });

  it('sends the token with the key in every runtime, and no credentials when injection is off', async () => {
    await using server = await PlayedServer.start((_, response) => response.end());
    const debian = await server.link('custom.debian11');
    await debian.invoke(eventCall(''));
    assert.equal(server.requests[0]?.headers['x-fc-access-key-id'], 'ak');
    assert.equal(server.requests[0]?.headers['x-fc-security-token'], 'st');
    const without = await server.link('custom', { disableInjectCredentials: 'Request' });
    await without.invoke(eventCall(''));
    assert.equal(server.requests[1]?.headers['x-fc-access-key-id'], undefined);
    debian.close();
    without.close();
  });

  for (const [what, status, header] of [
    ['a 4xx status', 404, undefined],
    ['a 5xx status', 503, undefined],
    ['x-fc-status', 200, '404'],
  ] as const) {
    it(`takes ${what} for a failure of the function`, async () => {
      await using server = await PlayedServer.start((_, response) => {
        if (header !== undefined) response.setHeader('x-fc-status', header);
        response.writeHead(status).end('why');
      });
      const link = await server.link();
      const answer = await link.invoke(eventCall('x'));
      assert.equal(answer.errorType, 'UnhandledInvocationError');
      assert.equal(await textOf(answer), 'why');
      link.close();
    });
  }

  it('passes HTTP calls through: method, target, headers, body, and the reply', async () => {
    await using server = await PlayedServer.start((request, response) => {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.setHeader('keep-alive', 'timeout=5');
      response.statusCode = 418;
      request.pipe(response);
    });
    const link = await server.link();
    async function* body() {
      yield Buffer.from('one ');
      yield Buffer.from('two');
    }
    const headers = [
      ['Host', 'f.example.com'],
      ['X-Multi', '1'],
      ['x-multi', '2'],
      ['X-Fc-Request-Id', 'forged'],
      ['Connection', 'X-Secret'],
      ['X-Secret', 'hop'],
      ['TE', 'trailers'],
    ] as const;
    const answer = await link.invoke(
      eventCall('', { requestId: 'r9', ...httpCall({ method: 'PATCH', target: '/a%20b?q=1', headers, body: body() }) }),
    );
    assert.equal(await textOf(answer), 'one two');
    assert.equal(answer.errorType, undefined);
    assert.equal(answer.reply?.status, 418);
    const cookies = answer.reply?.headers.filter(([name]) => name.toLowerCase() === 'set-cookie');
    assert.deepEqual(
      cookies?.map(([, value]) => value),
      ['a=1', 'b=2'],
    );
    assert.ok(!answer.reply?.headers.some(([name]) => /^(keep-alive|connection|transfer-encoding)$/i.test(name)));
    const [request] = server.requests;
    assert.equal(request?.method, 'PATCH');
    assert.equal(request?.url, '/a%20b?q=1');
    assert.equal(request?.headers.host, 'f.example.com');
    assert.equal(request?.headers['x-multi'], '1, 2');
    assert.equal(request?.headers['x-fc-request-id'], 'r9');
    assert.equal(request?.headers['x-fc-control-path'], '/http-invoke');
    assert.equal(request?.headers['x-secret'], undefined);
    assert.equal(request?.headers.te, undefined);
    link.close();
  });

  it('streams the reply while it is written', async () => {
    const more = Promise.withResolvers<void>();
    await using server = await PlayedServer.start((_, response) => {
      response.write('first');
      void more.promise.then(() => response.end('second'));
    });
    const link = await server.link();
    const answer = await link.invoke(eventCall('', httpCall({})));
    const pieces: string[] = [];
    for await (const piece of answer.payload as AsyncIterable<Uint8Array>) {
      pieces.push(Buffer.from(piece).toString());
      more.resolve();
    }
    assert.deepEqual(pieces, ['first', 'second']);
    link.close();
  });

  it('closes the upstream request when the caller leaves, before and during the reply', async () => {
    const closed = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using server = await PlayedServer.start((request, response) => {
      response.on('close', () => closed[request.url === '/silent' ? 0 : 1]?.resolve());
      if (request.url !== '/silent') response.write('begun');
    });
    const link = await server.link('custom', { instanceConcurrency: 2 });
    const first = new AbortController();
    const silent = link.invoke(eventCall('', { ...httpCall({ target: '/silent' }), signal: first.signal }));
    const second = new AbortController();
    const begun = await link.invoke(eventCall('', { ...httpCall({ target: '/begun' }), signal: second.signal }));
    const reason = new Error('gone');
    first.abort(reason);
    await assert.rejects(silent, reason);
    second.abort(reason);
    await assert.rejects(textOf(begun), reason);
    await Promise.all(closed.map(({ promise }) => promise));
    link.close();
  });

  it('repeats an idempotent request whose connection was reset, and never a POST', async () => {
    const seen: (string | undefined)[] = [];
    await using server = await PlayedServer.start((request, response) => {
      seen.push(request.method);
      if (request.method === 'POST' || seen.length === 2) request.socket.destroy();
      else response.end('ok');
    });
    const link = await server.link();
    await textOf(await link.invoke(eventCall('', httpCall({}))));
    assert.equal(await textOf(await link.invoke(eventCall('', httpCall({})))), 'ok');
    await assert.rejects(link.invoke(eventCall('x')), LinkBrokenError);
    assert.deepEqual(seen, ['GET', 'GET', 'GET', 'POST']);
    link.close();
  });

  it('names an answer that is no HTTP as the fault of the function', async () => {
    const tcp = createTcpServer((socket) => socket.once('data', () => socket.end('nonsense\r\n\r\n')));
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    const dialer = createHttpInstanceDialer({ region: 'local' });
    const { port } = tcp.address() as AddressInfo;
    const link = await dialer.dial({ kind: 'http', host: '127.0.0.1', port }, versionSpec('custom'), 1);
    try {
      await assert.rejects(link.invoke(eventCall('x')), (error) => {
        assert.ok(error instanceof TidemillError);
        assert.equal(error.code, 'BadResponse');
        return true;
      });
    } finally {
      link.close();
      await new Promise((resolve) => tcp.close(resolve));
    }
  });
});

describe('HttpControl', { timeout: 30_000 }, () => {
  it('waits until the port accepts connections', async () => {
    const probe = createTcpServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const dialer = createHttpControlDialer({ region: 'local', clock: systemClock });
    const control = await dialer.dial({ kind: 'http', host: '127.0.0.1', port }, 0, versionSpec('custom'));
    await assert.rejects(control.load(noLoad, 50), RuntimeTimeoutError);
    const ready = control.load(noLoad, 10_000);
    await new Promise<void>((resolve) => probe.listen(port, '127.0.0.1', resolve));
    assert.equal((await ready).ok, true);
    control.close();
    await control.closed;
    await assert.rejects(control.load(noLoad, 1000), LinkBrokenError);
    await new Promise((resolve) => probe.close(resolve));
  });

  it('asks /initialize once and reports what it said', async () => {
    await using server = await PlayedServer.start((_, response) => {
      response.writeHead(server.requests.length === 1 ? 200 : 500).end('no database');
    });
    const control = await server.control({ initializer: { handler: 'on', timeout: 9 } });
    const first = await control.initialize({ requestId: 'i1', credentials }, 5000);
    assert.deepEqual({ ok: first.ok, status: first.status }, { ok: true, status: 200 });
    const second = await control.initialize({ requestId: 'i2', credentials }, 5000);
    assert.deepEqual(second.error, { errorMessage: 'no database', errorType: 'InitializationError', stackTrace: [] });
    const [request] = server.requests;
    assert.equal(`${request?.method} ${request?.url}`, 'POST /initialize');
    assert.equal(request?.headers['x-fc-control-path'], '/initialize');
    assert.equal(request?.headers['x-fc-request-id'], 'i1');
    assert.equal(request?.headers['x-fc-access-key-id'], 'ak');
    control.close();
  });

  it('gives up on an initializer that takes too long', async () => {
    await using server = await PlayedServer.start(() => {});
    const control = await server.control();
    await assert.rejects(control.initialize({ requestId: 'i1' }, 30), RuntimeTimeoutError);
    control.close();
  });

  it('calls /pre-stop and ignores its result', async () => {
    await using server = await PlayedServer.start((_, response) => response.writeHead(500).end());
    const control = await server.control();
    assert.equal((await control.preStop({ requestId: 'p1' }, 5000)).ok, true);
    assert.equal(`${server.requests[0]?.method} ${server.requests[0]?.url}`, 'GET /pre-stop');
    control.close();
  });

  it('probes the health check: 200 to 399 is healthy', async () => {
    let status = 204;
    await using server = await PlayedServer.start((_, response) => response.writeHead(status).end());
    const control = await server.control();
    const check = {
      httpGetUrl: '/health?x=1',
      initialDelaySeconds: 0,
      periodSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: 3,
      successThreshold: 1,
    };
    assert.equal((await control.checkHealth(check)).ok, true);
    status = 399;
    assert.equal((await control.checkHealth(check)).ok, true);
    status = 500;
    assert.deepEqual(await control.checkHealth(check), { ok: false, detail: 'status code: 500' });
    assert.equal(server.requests[0]?.url, '/health?x=1');
    control.close();
  });
});
