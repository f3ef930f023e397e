import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { createFramesControlDialer, createFramesInstanceDialer } from '../../../src/adapters/link-frames/index.ts';
import { LinkBrokenError, StaleEpochError } from '../../../src/core/ports/instance-link.ts';
import { instanceLinkSuite } from '../../../src/core/ports/instance-link.suite.ts';
import { runtimeControlSuite } from '../../../src/core/ports/runtime-control.suite.ts';
import { encodeFrame, encodeJsonFrame, FrameDecoder } from '../../../src/core/protocol/frame-codec.ts';
import { FRAME } from '../../../src/core/protocol/runtime-frames.ts';
import { eventCall, loadedRuntime, NODE_COMMANDS, StartedRuntime, textOf } from '../../runtimes/started-runtime.ts';
import { versionSpec } from '../../runtimes/version-spec.ts';

const EXERCISE = `
const held = new Map();
exports.handler = async (event) => {
  const order = JSON.parse(event);
  if (order.do === 'echo') return order.data;
  if (order.do === 'fail') throw new Error(order.data);
  if (order.do === 'repeat') return order.data.repeat(order.times);
  if (order.do === 'hold') return new Promise((resolve) => held.set(order.key, () => resolve(order.data)));
  if (order.do === 'release') return held.get(order.key)();
  process.exit(3);
};`;

instanceLinkSuite('frames to a Node runtime', async (concurrency) => {
  const command = NODE_COMMANDS['platform node'] ?? [];
  const started = await loadedRuntime(command, { 'index.js': EXERCISE }, { concurrency });
  return { link: started.link, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
});

const LIFE = `
exports.handler = () => 'ok';
exports.works = () => {};
exports.fails = () => { throw new Error('no database'); };
exports.hangs = (context, callback) => { setInterval(() => {}, 1000); };
exports.exits = () => process.exit(3);
exports.stop = () => {};`;

runtimeControlSuite('frames to a Node runtime', async (exercise) => {
  const runtime = await StartedRuntime.start(NODE_COMMANDS['platform node'] ?? [], { 'index.js': LIFE });
  const control = await runtime.control();
  return {
    control,
    load: runtime.loadFrame({ initializer: `index.${exercise}`, preStop: 'index.stop' }),
    async kill() {
      runtime.process.kill('SIGKILL');
      await control.closed;
    },
    [Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
  };
});

/** A runtime played by the test: answers ATTACH, gives every other frame to `onFrame`. */
class PlayedRuntime implements AsyncDisposable {
  readonly path: string;
  readonly frames: { type: number; stream: number; payload: Buffer }[] = [];
  /** Bytes of each read: one entry per batch the link wrote, while they fit the socket. */
  readonly reads: number[] = [];
  socket: Socket | undefined;
  private readonly folder: string;
  private readonly server: Server;

  private constructor(
    folder: string,
    busy: readonly string[],
    onFrame: (runtime: PlayedRuntime, type: number) => void,
  ) {
    this.folder = folder;
    this.path = join(folder, 's');
    this.server = createServer((socket) => {
      this.socket = socket;
      const decoder = new FrameDecoder((type, stream, payload) => {
        if (type === FRAME.attach) {
          socket.write(encodeJsonFrame(FRAME.hello, 0, { protocol: 1, runtime: 'played', state: 'loaded', busy }));
          return;
        }
        this.frames.push({ type, stream, payload: Buffer.from(payload) });
        onFrame(this, type);
      });
      socket.on('data', (chunk) => {
        this.reads.push(chunk.length);
        decoder.push(chunk);
      });
      socket.on('error', () => socket.destroy());
    });
  }

  static async start(
    busy: readonly string[],
    onFrame: (runtime: PlayedRuntime, type: number) => void,
  ): Promise<PlayedRuntime> {
    const runtime = new PlayedRuntime(await mkdtemp(join(tmpdir(), 'pr-')), busy, onFrame);
    await new Promise<void>((resolve) => runtime.server.listen(runtime.path, resolve));
    return runtime;
  }

  link(epoch = 1) {
    return createFramesInstanceDialer({ clock: systemClock }).dial(
      { kind: 'frames', path: this.path },
      versionSpec('nodejs22'),
      epoch,
    );
  }

  result(stream: number, text: string): Buffer {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(2048, 4);
    return encodeFrame(FRAME.result, stream, Buffer.concat([head, Buffer.from(text)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket?.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    await rm(this.folder, { recursive: true, force: true });
  }
}

describe('FramesLink', { timeout: 30_000 }, () => {
  it('writes the calls of one turn together and sends credentials only when they change', async () => {
    await using runtime = await PlayedRuntime.start([], (self, type) => {
      if (type !== FRAME.invoke || self.frames.length < 3) return;
      for (const frame of self.frames) self.socket?.write(self.result(frame.stream, 'ok'));
    });
    const link = await runtime.link();
    runtime.reads.length = 0;
    const answers = await Promise.all([1, 2, 3].map((n) => link.invoke(eventCall(`p${n}`))));
    assert.equal(runtime.reads.length, 1);
    assert.deepEqual(await Promise.all(answers.map(textOf)), ['ok', 'ok', 'ok']);
    assert.equal(answers[0]?.memoryMb, 2);
    const headers = runtime.frames.map(({ payload }) => payload.toString('utf8', 2, 2 + payload.readUInt16LE(0)));
    assert.deepEqual(
      headers.map((text) => 'c' in JSON.parse(text)),
      [true, false, false],
    );
    link.close();
  });

  it('tells the runtime when a caller leaves, and drops the late answer', async () => {
    const cancelled = Promise.withResolvers<void>();
    await using runtime = await PlayedRuntime.start([], (_, type) => {
      if (type === FRAME.cancel) cancelled.resolve();
    });
    const link = await runtime.link();
    const aborter = new AbortController();
    const call = link.invoke(eventCall('x', { signal: aborter.signal }));
    aborter.abort(new Error('gone'));
    await assert.rejects(call, /gone/);
    await cancelled.promise;
    runtime.socket?.write(runtime.result(1, 'late'));
    runtime.socket?.write(encodeFrame(FRAME.output, 1, Buffer.from('late')));
    link.close();
  });

  it('refuses with StaleEpochError what the runtime calls stale', async () => {
    await using runtime = await PlayedRuntime.start([], (self) => {
      self.socket?.write(encodeFrame(FRAME.stale, self.frames.at(-1)?.stream ?? 0, Buffer.alloc(0)));
    });
    const link = await runtime.link();
    await assert.rejects(link.invoke(eventCall('x')), StaleEpochError);
    link.close();
  });

  it('is drained when every call of an earlier server has ended', async () => {
    await using runtime = await PlayedRuntime.start(['r1', 'r2'], () => {});
    const link = await runtime.link();
    assert.deepEqual(link.busyAtConnect, ['r1', 'r2']);
    runtime.socket?.write(encodeJsonFrame(FRAME.ended, 0, { requestId: 'r2' }));
    runtime.socket?.write(encodeJsonFrame(FRAME.ended, 0, { requestId: 'r1' }));
    await link.drained();
    link.close();
  });

  it('cuts off a peer that announces an impossible frame', async () => {
    await using runtime = await PlayedRuntime.start([], (self) => {
      self.socket?.write(Buffer.from([0xff, 0xff, 0xff, 0x7f, FRAME.result, 1, 0, 0, 0]));
    });
    const link = await runtime.link();
    await assert.rejects(link.invoke(eventCall('x')), LinkBrokenError);
    await link.closed;
  });

  it('gives the answer of a process that ends with it only once the connection is gone', async () => {
    await using runtime = await PlayedRuntime.start([], (self) => {
      const frame = self.result(self.frames.at(-1)?.stream ?? 0, 'last words');
      frame[9] = 2;
      frame[11] = 1;
      self.socket?.end(frame);
    });
    const link = await runtime.link();
    let closed = false;
    void link.closed.then(() => {
      closed = true;
    });
    const answer = await link.invoke(eventCall('x'));
    assert.equal(answer.errorType, 'UnhandledInvocationError');
    assert.equal(await textOf(answer), 'last words');
    assert.ok(closed);
  });

  it('stops reading from the runtime while nobody reads the result', async () => {
    const chunk = encodeFrame(FRAME.resultChunk, 1, Buffer.alloc(256 * 1024));
    const chunks = 80;
    await using runtime = await PlayedRuntime.start([], (self) => {
      const head = self.result(1, 'x');
      head[10] = 1;
      self.socket?.write(head);
      for (let n = 0; n < chunks; n++) self.socket?.write(chunk);
      self.socket?.write(encodeFrame(FRAME.resultChunk, 1, Buffer.alloc(0)));
    });
    const link = await runtime.link();
    const answer = await link.invoke(eventCall('x'));
    const unsent = (): number => runtime.socket?.writableLength ?? 0;
    let before = -1;
    while (before !== unsent()) {
      before = unsent();
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(unsent() > (chunks / 2) * chunk.length, `${unsent()} bytes wait at the runtime`);
    assert.equal((await textOf(answer)).length, 1 + chunks * 256 * 1024);
    link.close();
  });

  it('escapes what could break the header', async () => {
    await using runtime = await PlayedRuntime.start([], (self) => {
      self.socket?.write(self.result(self.frames.at(-1)?.stream ?? 0, ''));
    });
    const link = await runtime.link();
    await link.invoke(eventCall('body', { requestId: 'a"b\\ü', qualifier: '{"' }));
    const payload = runtime.frames[0]?.payload ?? Buffer.alloc(2);
    const end = 2 + payload.readUInt16LE(0);
    const header = JSON.parse(payload.toString('utf8', 2, end));
    assert.equal(header.r, 'a"b\\ü');
    assert.equal(header.q, '{"');
    assert.equal(payload.toString('utf8', end), 'body');
    link.close();
  });

  it('rejects to dial where nothing listens', async () => {
    const dialer = createFramesInstanceDialer({ clock: systemClock });
    const address = { kind: 'frames', path: join(tmpdir(), 'no-such-socket') } as const;
    await assert.rejects(dialer.dial(address, versionSpec('nodejs22'), 1), LinkBrokenError);
    const control = createFramesControlDialer({ clock: systemClock });
    await assert.rejects(control.dial(address, 1, undefined), LinkBrokenError);
  });
});
