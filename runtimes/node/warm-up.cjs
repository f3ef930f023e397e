'use strict';
const { EventEmitter } = require('node:events');
const path = require('node:path');
const { Connection } = require('./connection.cjs');
const { FRAME, allocateFrame, FRAME_HEADER_BYTES, jsonFrame } = require('./protocol.cjs');
const { Runtime } = require('./runtime.cjs');

const CODE = path.join(__dirname, 'warm');
/** Enough for the engine to have compiled what a call runs through. */
const CALLS = 40;
const LOADS = 3;

/** A peer that reads everything and says what it is told to. */
class Peer extends EventEmitter {
  writableNeedDrain = false;
  write() {
    return true;
  }
  cork() {}
  uncork() {}
  ref() {}
  unref() {}
  destroy() {}
}

/** @param {number} index @param {string} payload */
function invokeFrame(index, payload) {
  const header = JSON.stringify({ r: `warm-${index}`, e: 1, q: 'LATEST', n: 0, d: 0 });
  const frame = allocateFrame(FRAME.invoke, index + 1, 2 + header.length + payload.length);
  frame.writeUInt16LE(header.length, FRAME_HEADER_BYTES);
  frame.write(header + payload, FRAME_HEADER_BYTES + 2, 'latin1');
  return frame;
}

/**
 * Runs a function of its own through the very code that loads and calls functions, so that the first real one does not pay
 * for compiling it. For a runtime that waits in a pool; leaves environment, working folder and module cache as they were.
 */
async function warmUp() {
  const env = { ...process.env };
  const folder = process.cwd();
  try {
    for (let round = 0; round < LOADS; round++) await once(/** @type {Record<string, string>} */ (env));
  } finally {
    process.chdir(folder);
    for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
    for (const name of Object.keys(env)) process.env[name] = env[name];
  }
}

/** @param {Record<string, string>} env */
async function once(env) {
  const runtime = new Runtime();
  const peer = new Peer();
  Connection.over(/** @type {any} */ (peer), runtime.onFrame, runtime.onClose);
  const say = (/** @type {Buffer} */ frame) => peer.emit('data', frame);
  say(jsonFrame(FRAME.attach, 0, { role: 'agent', epoch: 0 }));
  const fn = { name: 'warm', handler: 'index.handler', memory: 128, timeout: 3 };
  const service = { logProject: '', logStore: '', versionId: 'LATEST' };
  const same = { region: 'local', accountId: '0', initializer: '', preStop: '', requestId: 'warm', concurrency: 1 };
  say(jsonFrame(FRAME.load, 1, { runtime: '', handler: fn.handler, codePath: CODE, env, function: fn, service, ...same }));
  await Promise.resolve();
  for (let call = 0; call < CALLS; call++) {
    runtime.output.log('info', ['warm', call, { nested: [call] }]);
    say(invokeFrame(call, 'payload'));
    await new Promise((resolve) => setImmediate(resolve));
  }
  peer.emit('close');
  delete require.cache[path.join(CODE, 'index.js')];
}

exports.warmUp = warmUp;
