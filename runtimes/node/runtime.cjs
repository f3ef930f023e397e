'use strict';
const { Arriving, Call, run } = require('./calls.cjs');
const { Connection } = require('./connection.cjs');
const { makeContext } = require('./context.cjs');
const { NamedError, errorPayload, errorText } = require('./errors.cjs');
const { LastResort } = require('./last-resort.cjs');
const { answerStyle, applyEnvironment, loadHandler } = require('./loader.cjs');
const { Output } = require('./output.cjs');
const { FRAME, RESULT_FLAG, RESULT_STATUS, allocateFrame, jsonFrame } = require('./protocol.cjs');

/** @typedef {import('./connection.cjs').Connection} Peer */
/** @typedef {import('./calls.cjs').Call} RunningCall */

const CREDENTIAL_ENV = {
  accessKeyId: 'ALIBABA_CLOUD_ACCESS_KEY_ID',
  accessKeySecret: 'ALIBABA_CLOUD_ACCESS_KEY_SECRET',
  securityToken: 'ALIBABA_CLOUD_SECURITY_TOKEN',
};

/** One life-cycle step (load, initializer, pre-stop): at most one runs, its answer goes to the agent that asked. */
class Step {
  /** @param {Runtime} runtime @param {Peer} connection @param {number} stream @param {number} answer */
  constructor(runtime, connection, stream, answer) {
    this.runtime = runtime;
    this.connection = connection;
    this.stream = stream;
    this.answer = answer;
    this.startedAt = performance.now();
    this.settled = false;
  }

  succeed() {
    this.finish({ ok: true });
  }

  /** @param {unknown} error */
  fail(error) {
    if (this.settled) return;
    this.runtime.output.log('error', [errorText(error)]);
    this.finish({ ok: false, error: { errorType: 'Error', stackTrace: [], ...errorPayload(error) } });
  }

  /** @param {object} outcome */
  finish(outcome) {
    if (this.settled) return;
    this.settled = true;
    this.runtime.step = undefined;
    this.runtime.lastResort.settled(this);
    const ms = Math.round((performance.now() - this.startedAt) * 1000) / 1000;
    this.connection.send(jsonFrame(this.answer, this.stream, { ...outcome, ms }));
  }
}

/** The runtime's state: connections, the loaded function and the calls that run. */
/** After a call that took longer, what arrived meanwhile is read before the next begins. */
const SLOW_MS = 2;

class Runtime {
  constructor() {
    /** @type {Set<Peer>} */
    this.connections = new Set();
    /** @type {Set<RunningCall>} */
    this.calls = new Set();
    /** Calls that wait for the running one, in the order they came. @type {{call: RunningCall, header: any, event: Buffer}[]} */
    this.queue = [];
    /** The next call of the queue is about to begin. */
    this.nextIsDue = false;
    this.highestEpoch = 0;
    /** @type {any} */
    this.load = undefined;
    /** @type {Function | undefined} */
    this.handler = undefined;
    this.style = { mayCallBack: true, callsBack: false };
    /** Of the newest call or step: what output between calls is attributed to in its text. */
    this.lastRequestId = '';
    /** @type {RunningCall | undefined} */
    this.latest = undefined;
    /** Set when calls may overlap: tells their output apart. @type {any} */
    this.storage = undefined;
    /** @type {Step | undefined} */
    this.step = undefined;
    this.output = new Output(this);
    /** @type {import('node:net').Server | undefined} */
    this.server = undefined;
    this.lastResort = new LastResort((alive) => this.keepAlive(alive));
    this.onFrame = this.onFrame.bind(this);
    this.onClose = this.onClose.bind(this);
  }

  /** The call that the running code belongs to. */
  currentCall() {
    return this.storage === undefined ? this.latest : this.storage.getStore();
  }

  /** The newest agent connection that still stands. */
  agent() {
    /** @type {Peer | undefined} */
    let found;
    for (const connection of this.connections) if (connection.role === 'agent') found = connection;
    return found;
  }

  /** Listens on an inherited descriptor. @param {number} fd */
  listen(fd) {
    this.server = require('node:net').createServer((socket) => {
      Connection.over(socket, this.onFrame, this.onClose);
    });
    this.server.listen({ fd });
  }

  /** @param {boolean} alive */
  keepAlive(alive) {
    const change = alive ? 'ref' : 'unref';
    this.server?.[change]();
    for (const connection of this.connections) connection.socket[change]();
  }

  /** @param {Peer} connection */
  onClose(connection) {
    this.connections.delete(connection);
    connection.arriving.clear();
    // Nobody would hear of their results; they have not begun.
    for (const { call } of this.queue.filter(({ call }) => call.connection === connection)) this.revoke(connection, call.stream);
  }

  /** @param {Peer} connection @param {number} type @param {number} stream @param {Buffer} payload */
  onFrame(connection, type, stream, payload) {
    switch (type) {
      case FRAME.invoke:
        return this.onInvoke(connection, stream, payload);
      case FRAME.requestChunk:
        return this.onRequestChunk(connection, stream, payload);
      case FRAME.cancel:
        connection.arriving.delete(stream); // a call that runs goes on: its result is dropped by the peer
        return;
      case FRAME.revoke:
        return this.revoke(connection, stream);
      case FRAME.attach:
        return this.onAttach(connection, JSON.parse(payload.toString()));
      case FRAME.load:
        return void this.onLoad(connection, stream, JSON.parse(payload.toString()));
      case FRAME.initialize:
        return void this.onHook(connection, stream, FRAME.initialized, this.load?.initializer, JSON.parse(payload.toString()));
      case FRAME.preStop:
        return void this.onHook(connection, stream, FRAME.preStopped, this.load?.preStop, JSON.parse(payload.toString()));
      case FRAME.trim:
        require('./trim.cjs').trim();
        return connection.send(jsonFrame(FRAME.trimmed, stream, {}));
      default:
        connection.socket.destroy();
    }
  }

  /** @param {Peer} connection @param {{role: 'agent' | 'server', epoch: number}} attach */
  onAttach(connection, attach) {
    connection.role = attach.role;
    this.connections.add(connection);
    if (attach.role === 'server' && attach.epoch > this.highestEpoch) this.highestEpoch = attach.epoch;
    const busy = [];
    for (const call of [...this.calls, ...this.queue.map(({ call }) => call)]) {
      busy.push(call.requestId);
      call.watchers ??= [];
      call.watchers.push(connection);
    }
    const state = this.handler === undefined ? 'booted' : 'loaded';
    connection.send(jsonFrame(FRAME.hello, 0, { protocol: 1, runtime: `node ${process.version}`, state, busy }));
  }

  /** @param {Peer} connection @param {number} stream @param {any} load */
  async onLoad(connection, stream, load) {
    const step = new Step(this, connection, stream, FRAME.loaded);
    this.step = step;
    this.load = load;
    this.lastRequestId = load.requestId;
    try {
      applyEnvironment(load.env, load.codePath);
      this.output.configure(load.env);
      if (load.concurrency > 1) this.storage = new (require('node:async_hooks').AsyncLocalStorage)();
      this.output.write(`load code for handler:${load.handler}\n`, undefined);
      const loaded = loadHandler(load.codePath, load.handler);
      const handler = loaded instanceof Promise ? await loaded : loaded;
      this.style = answerStyle(handler, 2);
      this.handler = handler;
      step.succeed();
    } catch (error) {
      step.fail(error);
    }
  }

  /** @param {Peer} connection @param {number} stream @param {number} answer @param {string | undefined} name @param {any} request */
  async onHook(connection, stream, answer, name, request) {
    const step = new Step(this, connection, stream, answer);
    this.step = step;
    this.lastRequestId = request.requestId;
    if (request.credentials !== undefined) this.takeCredentials(connection, request.credentials);
    try {
      const loaded = loadHandler(this.load.codePath, name ?? '');
      const hook = loaded instanceof Promise ? await loaded : loaded;
      const context = makeContext(this.load, request.requestId, '', 0, connection.credentials, this.output.logger);
      run(hook, [context], answerStyle(hook, 1), step, this.lastResort);
    } catch (error) {
      step.fail(error);
    }
  }

  /** @param {Peer} connection @param {number} stream @param {Buffer} payload */
  onInvoke(connection, stream, payload) {
    const end = 2 + payload.readUInt16LE(0);
    const header = JSON.parse(payload.toString('utf8', 2, end));
    const body = payload.subarray(end);
    if (header.c !== undefined) this.takeCredentials(connection, header.c);
    if (header.more === undefined) return this.start(connection, stream, header, body);
    const arriving = new Arriving(header, header.more);
    arriving.add(body);
    connection.arriving.set(stream, arriving);
  }

  /** @param {Peer} connection @param {number} stream @param {Buffer} payload */
  onRequestChunk(connection, stream, payload) {
    const arriving = connection.arriving.get(stream);
    if (arriving === undefined) return; // cancelled meanwhile
    if (payload.length > 0) {
      if (!arriving.add(payload)) connection.socket.destroy();
      return;
    }
    connection.arriving.delete(stream);
    this.start(connection, stream, arriving.header, arriving.payload.subarray(0, arriving.filled));
  }

  /** @param {Peer} connection @param {number} stream @param {any} header @param {Buffer} event */
  start(connection, stream, header, event) {
    if (header.e < this.highestEpoch) {
      connection.send(jsonFrame(FRAME.stale, stream, {}));
      return;
    }
    this.highestEpoch = header.e;
    const call = new Call(this, connection, stream, header.r);
    if (this.handler === undefined) {
      call.fail(new NamedError('NotLoaded', 'No function is loaded in this instance'), RESULT_STATUS.unhandled);
      return;
    }
    if (this.storage === undefined && (this.calls.size > 0 || this.queue.length > 0)) {
      this.queue.push({ call, header, event });
      return;
    }
    this.begin(call, header, event);
  }

  /** @param {RunningCall} call @param {any} header @param {Buffer} event */
  begin(call, header, event) {
    const { connection } = call;
    this.calls.add(call);
    this.latest = call;
    this.lastRequestId = header.r;
    const context = makeContext(this.load, header.r, header.q, header.n, connection.credentials, this.output.logger);
    call.beganAt = performance.now();
    if (this.storage === undefined) run(this.handler, [event, context], this.style, call, this.lastResort);
    else this.storage.run(call, run, this.handler, [event, context], this.style, call, this.lastResort);
  }

  /** Takes a call that has not begun out of the queue. @param {Peer} connection @param {number} stream */
  revoke(connection, stream) {
    const at = this.queue.findIndex(({ call }) => call.connection === connection && call.stream === stream);
    const [found] = at < 0 ? [] : this.queue.splice(at, 1);
    if (found === undefined) return;
    connection.send(allocateFrame(FRAME.revoked, stream, 0));
    this.tellWatchers(found.call);
  }

  /**
   * Begins the next call once the code of the one before has returned and its answer is with the kernel: whatever becomes of
   * this process, the peer can tell which calls have begun. After a slow call, frames that arrived meanwhile are read first:
   * the calls behind it may have been revoked. @param {RunningCall} before
   */
  beginNext(before) {
    if (this.nextIsDue || this.queue.length === 0) return;
    this.nextIsDue = true;
    const next = () => {
      this.flush();
      if (before.connection.open && before.connection.socket.writableLength > 0) {
        before.connection.afterWrites(next);
        return;
      }
      this.nextIsDue = false;
      if (this.calls.size > 0) return;
      const entry = this.queue.shift();
      if (entry !== undefined) this.begin(entry.call, entry.header, entry.event);
    };
    if (performance.now() - before.beganAt < SLOW_MS) process.nextTick(next);
    else setImmediate(() => setImmediate(next));
  }

  /** @param {RunningCall} call */
  ended(call) {
    this.calls.delete(call);
    this.lastResort.settled(call);
    if (this.latest === call) this.latest = undefined;
    if (this.queue.length > 0) this.beginNext(call);
    this.tellWatchers(call);
  }

  /** @param {RunningCall} call */
  tellWatchers(call) {
    if (call.watchers === undefined) return;
    for (const connection of call.watchers) connection.send(jsonFrame(FRAME.ended, 0, { requestId: call.requestId }));
  }

  /**
   * The environment follows when it held credentials, so that SDK clients made later do not use expired ones.
   * @param {Peer} connection @param {any} credentials
   */
  takeCredentials(connection, credentials) {
    connection.credentials = credentials;
    if (process.env[CREDENTIAL_ENV.accessKeyId] === undefined) return;
    process.env[CREDENTIAL_ENV.accessKeyId] = credentials.accessKeyId;
    process.env[CREDENTIAL_ENV.accessKeySecret] = credentials.accessKeySecret;
    process.env[CREDENTIAL_ENV.securityToken] = credentials.securityToken;
  }

  /**
   * An error that nobody caught: every running call and step fails with it and the process ends, because its state cannot
   * be trusted any more. @param {unknown} error
   */
  crash(error) {
    if (this.step === undefined && this.calls.size === 0) this.output.log('error', [errorText(error)]);
    this.step?.fail(error);
    for (const call of [...this.calls]) call.fail(error, RESULT_STATUS.unhandled, RESULT_FLAG.exits);
    this.flush();
    process.exit(1);
  }

  /** Hands everything queued to the system now. */
  flush() {
    for (const connection of this.connections) connection.flush();
  }
}

exports.Runtime = Runtime;
