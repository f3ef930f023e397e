import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Invoked, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

interface Failure {
  readonly errorMessage: string;
  readonly errorType?: string;
  readonly stackTrace?: unknown[];
}

const failure = ({ text }: Invoked): Failure => JSON.parse(text) as Failure;

test('node: thrown, rejected, called back, exited', async () => {
  const code = {
    'index.js': `exports.handler = (event, context, callback) => {
  const what = String(event);
  if (what === 'throw') throw new TypeError('thrown');
  if (what === 'callback') return callback(new Error('handed'));
  if (what === 'exit') process.exit(3);
  if (what === 'later') setTimeout(() => callback(null, { a: 1 }), 5);
};
exports.rejects = async () => { throw new RangeError('rejected'); };`,
  };
  const name = await world.deploy('node-errors', code);
  const thrown = await world.invoke(name, 'throw');
  assert.deepEqual([thrown.status, thrown.headers['x-fc-error-type']], [200, 'UnhandledInvocationError']);
  assert.deepEqual([failure(thrown).errorMessage, failure(thrown).errorType], ['thrown', 'TypeError']);
  assert.equal(failure(thrown).stackTrace?.[0], 'TypeError: thrown');
  const handed = await world.invoke(name, 'callback');
  assert.equal(handed.headers['x-fc-error-type'], 'HandledInvocationError');
  assert.equal(failure(handed).errorMessage, 'handed');
  const exited = await world.invoke(name, 'exit');
  assert.deepEqual([exited.status, exited.headers['x-fc-error-type']], [200, 'UnhandledInvocationError']);
  assert.match(
    failure(exited).errorMessage,
    /^Process exited unexpectedly before completing request \(duration: \d+ms, maxMemoryUsage: [\d.]+MB\)$/,
  );
  assert.equal((await world.invoke(name, 'later')).text, '{"a":1}');
  const rejects = await world.deploy('node-rejects', code, { handler: 'index.rejects' });
  const rejected = await world.invoke(rejects);
  assert.deepEqual(
    [rejected.headers['x-fc-error-type'], failure(rejected).errorType],
    ['UnhandledInvocationError', 'RangeError'],
  );
});

test('python: exceptions and import errors in the field’s shape', async () => {
  const code = {
    'index.py':
      'def handler(event, context):\n    if event == b"fail":\n        raise ValueError("oops")\n    return event\n',
  };
  const name = await world.deploy('python-errors', code, { runtime: 'python3.10' });
  assert.equal((await world.invoke(name, 'ok')).text, 'ok');
  const failed = await world.invoke(name, 'fail');
  assert.deepEqual([failed.status, failed.headers['x-fc-error-type']], [200, 'UnhandledInvocationError']);
  assert.deepEqual([failure(failed).errorMessage, failure(failed).errorType], ['oops', 'ValueError']);
  assert.deepEqual(failure(failed).stackTrace?.at(-1), [
    'File "/code/index.py"',
    'line 3',
    'in handler',
    'raise ValueError("oops")',
  ]);
  const broken = await world.deploy(
    'python-import',
    { 'index.py': 'import nothing_like_this\n' },
    { runtime: 'python3.10' },
  );
  const unloaded = failure(await world.invoke(broken));
  assert.deepEqual(
    [unloaded.errorType, unloaded.errorMessage],
    ['ImportModuleError', "Unable to import module 'index'"],
  );
  assert.match(JSON.stringify(unloaded.stackTrace), /nothing_like_this/);
});

test('code that cannot be loaded says why, and the next version of it works', async () => {
  const syntax = await world.deploy('node-syntax', { 'index.js': 'exports.handler = async ( => 1;' });
  const broken = await world.invoke(syntax);
  assert.equal(broken.status, 200);
  assert.ok(broken.headers['x-fc-error-type']);
  assert.match(broken.text, /SyntaxError/);
  const missing = await world.invoke(await world.deploy('node-missing', { 'index.js': 'exports.other = 1;' }));
  assert.ok(missing.headers['x-fc-error-type']);
  assert.match(missing.text, /handler/);
  const noFile = await world.invoke(await world.deploy('node-nofile', { 'main.js': '' }));
  assert.ok(noFile.headers['x-fc-error-type']);
  assert.match(noFile.text, /index/);
});

test('timeout: the field’s error, and a fresh instance for the next call', async () => {
  const code = {
    'index.js': 'exports.handler = async (e) => { if (String(e) === "loop") for (;;); return process.pid + "ok"; };',
  };
  const name = await world.deploy('timeout', code, { timeout: 1 });
  const before = await world.invoke(name, 'x');
  const late = await world.invoke(name, 'loop');
  assert.deepEqual([late.status, late.headers['x-fc-error-type']], [200, 'UnhandledInvocationError']);
  assert.match(failure(late).errorMessage, /^Function timed out after 1 seconds/);
  const next = await world.invoke(name, 'x');
  assert.equal(next.headers['x-fc-error-type'], undefined);
  assert.notEqual(next.headers['x-fc-instance-id'], before.headers['x-fc-instance-id']);
});

test('out of memory: the function dies alone', async () => {
  const code = {
    'index.py':
      'def handler(event, context):\n    if event == b"eat":\n        data = []\n        while True:\n            data.append(bytearray(10_000_000))\n    return "alive"\n',
  };
  const name = await world.deploy('oom', code, { runtime: 'python3.10', memorySize: 128, cpu: 0.1 });
  const other = await world.deploy('bystander', { 'index.js': 'exports.handler = async () => "alive";' });
  const bystander = await world.invoke(other);
  const eaten = await world.invoke(name, 'eat');
  assert.equal(eaten.headers['x-fc-error-type'], 'UnhandledInvocationError');
  assert.match(failure(eaten).errorMessage, /^Function ran out of memory/);
  assert.equal(failure(eaten).errorType, 'FunctionOOMError');
  assert.equal((await world.invoke(name, 'x')).text, 'alive');
  const after = await world.invoke(other);
  assert.equal(after.headers['x-fc-instance-id'], bystander.headers['x-fc-instance-id']);
});

test('a fork bomb is contained', async () => {
  const code = {
    'index.py':
      'import os, time\ndef handler(event, context):\n    made = 0\n    try:\n        while made < 100000:\n            if os.fork() == 0:\n                time.sleep(60)\n                os._exit(0)\n            made += 1\n    except OSError:\n        return str(made)\n    return "unlimited"\n',
  };
  const name = await world.deploy('bomb', code, { runtime: 'python3.10', timeout: 15 });
  const other = await world.deploy('beside', { 'index.js': 'exports.handler = async () => "alive";' });
  const [bomb, beside] = await Promise.all([world.invoke(name), world.invoke(other)]);
  if (bomb.headers['x-fc-error-type'] === undefined) assert.ok(Number(bomb.text) < 1000, bomb.text);
  assert.equal(beside.text, 'alive');
  assert.equal((await world.invoke(other)).text, 'alive');
});

test('nothing of the host leaks in', async () => {
  const code = { 'index.js': 'exports.handler = async () => ({ ...process.env });' };
  const name = await world.deploy('environment', code, { environmentVariables: { OWN: '1' } });
  const env = JSON.parse((await world.invoke(name)).text) as Record<string, string>;
  assert.deepEqual([env['OWN'], env['FC_FUNCTION_NAME'], env['FC_FUNC_CODE_PATH']], ['1', name, '/code']);
  const expected =
    /^(FC_|ALIBABA_CLOUD_|TIDEMILL_(OBJECTS_)?ENDPOINT$|OWN$|PATH$|HOME$|LANG$|TZ$|LD_LIBRARY_PATH$|NODE_PATH$|PYTHONPATH$)/;
  assert.deepEqual(
    Object.keys(env).filter((key) => !expected.test(key)),
    [],
  );
  assert.notEqual(env['TIDEMILL_ENDPOINT'], process.env.TIDEMILL_ENDPOINT);
});
