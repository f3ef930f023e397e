import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type LoadedRuntime, invokeText, loadedRuntime, NODE_COMMANDS } from '../started-runtime.ts';
import type { Load } from '../../../src/core/protocol/runtime-frames.ts';

type Files = Readonly<Record<string, string>>;

const STYLES: readonly (readonly [name: string, code: string, expected: string])[] = [
  ['a callback', 'exports.handler = (e, c, callback) => setTimeout(() => callback(null, "later"), 2);', 'later'],
  ['an async function', 'exports.handler = async () => "value";', 'value'],
  ['a plain value from a function without callback', 'exports.handler = (event, context) => "plain";', 'plain'],
  ['nothing from a function without callback', 'exports.handler = (event, context) => {};', ''],
  ['a promise-like', 'exports.handler = () => ({ then: (ok) => ok("thenable") });', 'thenable'],
  ['an async function that calls back', 'exports.handler = async (e, c, cb) => { cb(null, "mixed"); };', 'mixed'],
  [
    'an async function that calls back after its promise',
    'exports.handler = async (e, c, cb) => { setTimeout(() => cb(null, "late"), 5); };',
    'late',
  ],
  [
    'nothing from an async function that could have called back',
    'exports.handler = async (e, c, cb) => { if (e.length > 9) cb(null, 1); };',
    '',
  ],
  ['only the first of two callbacks', 'exports.handler = (e, c, cb) => { cb(null, "one"); cb(null, "two"); };', 'one'],
  ['a callback found in arguments', 'exports.handler = function () { arguments[2](null, "args"); };', 'args'],
  ['a callback found in rest parameters', 'exports.handler = (...all) => { all[2](null, "rest"); };', 'rest'],
  ['a Buffer', 'exports.handler = async () => Buffer.from([104, 105]);', 'hi'],
  ['an object as JSON', 'exports.handler = async () => ({ a: [1, "x"] });', '{"a":[1,"x"]}'],
  ['null as JSON', 'exports.handler = async () => null;', 'null'],
  ['the event as a Buffer', 'exports.handler = async (e) => `${Buffer.isBuffer(e)} ${e}`;', 'true ping'],
];

async function once(command: readonly string[], files: Files, load: Partial<Load> = {}) {
  await using started = await loadedRuntime(command, files, load);
  assert.deepEqual(started.loaded.error, undefined);
  return await invokeText(started.link, 'ping');
}

async function loadError(command: readonly string[], files: Files, load: Partial<Load> = {}) {
  const started = await loadedRuntime(command, files, load);
  await using _ = started;
  assert.equal(started.loaded.ok, false);
  return { error: started.loaded.error, output: started.output() };
}

for (const [name, command] of Object.entries(NODE_COMMANDS)) {
  describe(`Node programming model (${name})`, { timeout: 60_000 }, () => {
    for (const [what, code, expected] of STYLES) {
      it(`answers ${what}`, async () => {
        const result = await once(command, { 'index.js': code });
        assert.deepEqual([result.text, result.errorType], [expected, undefined]);
      });
    }

    it('ignores what a function says after it has answered', async () => {
      const code =
        'exports.handler = (e, c, cb) => { cb(null, "one"); cb(new Error("two")); throw new Error("three"); };';
      await using started = await loadedRuntime(command, { 'index.js': code });
      for (let round = 0; round < 2; round++) {
        const result = await invokeText(started.link);
        assert.deepEqual([result.text, result.errorType, result.output], ['one', undefined, '']);
      }
      await started.runtime.control();
      assert.doesNotMatch(started.output(), /two|three/);
    });

    const modules: readonly (readonly [string, Files, string])[] = [
      ['.mjs', { 'index.mjs': 'export const handler = async () => import.meta.url.slice(-9);' }, 'index.handler'],
      ['.cjs', { 'index.cjs': 'exports.handler = async () => "index.cjs";' }, 'index.handler'],
      [
        '.js of a module package',
        { 'package.json': '{"type":"module"}', 'index.js': 'export async function handler() { return "ok" }' },
        'index.handler',
      ],
      [
        'a module with top-level await',
        { 'index.mjs': 'const v = await Promise.resolve("tla"); export default { handler: async () => v };' },
        'index.handler',
      ],
      ['a sub-folder', { 'src/index.js': 'exports.handler = async () => __dirname.slice(-3);' }, 'src/index.handler'],
      [
        'a package of the code',
        {
          'node_modules/greet/index.js': 'module.exports = "hello";',
          'index.js': 'exports.handler = async () => require("greet");',
        },
        'index.handler',
      ],
    ];
    for (const [what, files, handler] of modules) {
      it(`loads ${what}`, async () => {
        const result = await once(command, files, { handler });
        assert.equal(result.errorType, undefined, result.text);
      });
    }

    it('gives the context of the reference', async () => {
      const code = 'exports.handler = async (e, c) => ({ ...c, logger: Object.keys(c.logger), tracing: undefined });';
      const result = await once(command, { 'index.js': code });
      const context = JSON.parse(result.text);
      assert.match(context.requestId, /^1-call-/);
      delete context.requestId;
      assert.deepEqual(context, {
        credentials: { accessKeyId: 'ak', accessKeySecret: 'sk', securityToken: 'st' },
        function: { name: 'hello', handler: 'index.handler', memory: 128, timeout: 3 },
        service: { logProject: 'lp', logStore: 'ls', qualifier: 'LATEST', versionId: '7' },
        region: 'local',
        accountId: '1234567890123456',
        logger: ['debug', 'info', 'warn', 'error', 'log'],
        retryCount: 0,
      });
    });

    it('replaces the environment, the working folder and the time zone', async () => {
      const code = `exports.handler = async () => ({ env: { ...process.env }, cwd: process.cwd(),
        hour: new Date(0).getHours(), root: __dirname });`;
      const env = { GREETING: 'hi', TZ: 'Asia/Tokyo', NODE_PATH: '/mine' };
      const seen = JSON.parse((await once(command, { 'index.js': code }, { env })).text);
      assert.equal(seen.cwd, seen.root);
      assert.equal(seen.hour, 9);
      assert.equal(seen.env.GREETING, 'hi');
      assert.equal(seen.env.NODE_PATH, `/mine:/opt/nodejs/node_modules:${seen.root}/node_modules`);
      assert.deepEqual(Object.keys(seen.env).sort(), [
        'FC_FUNCTION_NAME',
        'GREETING',
        'LD_LIBRARY_PATH',
        'NODE_PATH',
        'PATH',
        'TZ',
      ]);
    });

    it('shows thrown errors with the stack by lines', async () => {
      const code = 'class Oops extends Error {}\nexports.handler = async () => { throw new Oops("bad"); };';
      const result = await once(command, { 'index.js': code });
      assert.equal(result.errorType, 'UnhandledInvocationError');
      const payload = JSON.parse(result.text);
      assert.deepEqual(Object.keys(payload), ['errorMessage', 'errorType', 'stackTrace']);
      assert.equal(payload.errorMessage, 'bad');
      assert.equal(payload.errorType, 'Oops');
      assert.equal(payload.stackTrace[0], 'Error: bad');
      assert.match(payload.stackTrace[1], /^ {4}at .*index\.js:2:\d+\)?$/);
      assert.ok(!result.text.includes('calls.cjs'), 'frames of the runtime itself are hidden');
      assert.match(result.output, /\[error\] Error: bad\n/);
    });

    it('tells errors given to the callback from thrown ones', async () => {
      const handled = await once(command, { 'index.js': 'exports.handler = (e, c, cb) => cb(new TypeError("no"));' });
      assert.equal(handled.errorType, 'HandledInvocationError');
      assert.equal(JSON.parse(handled.text).errorType, 'TypeError');
      const text = await once(command, { 'index.js': 'exports.handler = (e, c, cb) => cb("only text");' });
      assert.deepEqual([text.errorType, text.text], ['HandledInvocationError', '{"errorMessage":"only text"}']);
      const circular = await once(command, {
        'index.js': 'exports.handler = async () => { const a = {}; a.a = a; return a; };',
      });
      assert.equal(circular.errorType, 'UnhandledInvocationError');
      assert.match(circular.text, /circular/);
    });

    it('names what is wrong with the code in the words of the field', async () => {
      const missing = await loadError(command, {}, { handler: 'nope.handler' });
      assert.match(missing.error?.errorMessage ?? '', /^Cannot find module '.*\/code\/nope\.js'$/);
      const unknown = await loadError(command, { 'index.js': 'exports.other = 1;' });
      assert.equal(unknown.error?.errorMessage, "Handler 'handler' is missing on module 'index'");
      const syntax = await loadError(command, { 'index.js': 'exports.handler = (' });
      assert.equal(syntax.error?.errorType, 'SyntaxError');
      assert.match(syntax.output, /\[error\] .*SyntaxError|index\.js:1/s);
      const dependency = await loadError(command, { 'index.js': 'require("left-pad");' });
      assert.match(dependency.error?.errorMessage ?? '', /Cannot find module 'left-pad'/);
      const thrown = await loadError(command, { 'index.mjs': 'throw new RangeError("at load");' });
      assert.deepEqual([thrown.error?.errorType, thrown.error?.errorMessage], ['RangeError', 'at load']);
      const outside = await loadError(command, {}, { handler: '../index.handler' });
      assert.equal(outside.error?.errorMessage, "Invalid handler '../index.handler'");
    });

    it('runs initializer and pre-stop in every style and shares their state with the handler', async () => {
      const code = `let state = '';
        exports.first = (context, callback) => { state += context.requestId; setTimeout(callback, 1); };
        exports.bad = async () => { throw new Error('no database'); };
        exports.last = async (context) => { console.log('bye', state, context.requestId); };
        exports.handler = async () => state;`;
      const started: LoadedRuntime = await loadedRuntime(
        command,
        { 'index.js': code },
        { initializer: 'index.first', preStop: 'index.last' },
      );
      await using _ = started;
      assert.equal((await started.control.initialize({ requestId: 'i1' }, 5000)).ok, true);
      assert.equal((await invokeText(started.link)).text, 'i1');
      assert.equal((await started.control.preStop({ requestId: 'p1' }, 5000)).ok, true);
      assert.match(started.output(), /p1 \[info\] bye i1 p1\n/);
      await using failing = await loadedRuntime(command, { 'index.js': code }, { initializer: 'index.bad' });
      const failed = await failing.control.initialize({ requestId: 'i1' }, 5000);
      assert.deepEqual([failed.ok, failed.error?.errorMessage], [false, 'no database']);
      await using absent = await loadedRuntime(command, { 'index.js': code }, { initializer: 'index.gone' });
      const missing = await absent.control.initialize({ requestId: 'i1' }, 5000);
      assert.equal(missing.error?.errorMessage, "Handler 'gone' is missing on module 'index'");
    });
  });
}
