import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { models, World, zipCode } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const hook = (handler: string, timeout = 5) => new models.LifecycleHook({ handler, timeout });

test('node: the initializer runs once per instance, before the first call', async () => {
  const code = {
    'index.js': `let count = 0;
exports.initialize = async (context) => { count++; console.log('initializing'); };
exports.handler = async () => String(count);`,
  };
  const instanceLifecycleConfig = new models.InstanceLifecycleConfig({ initializer: hook('index.initialize') });
  const name = await world.deploy('initializer', code, { instanceLifecycleConfig });
  const first = await world.invoke(name, '', { headers: { 'x-fc-log-type': 'Tail' } });
  assert.equal(first.text, '1');
  const tail = Buffer.from(first.headers['x-fc-log-result'] ?? '', 'base64').toString();
  assert.match(
    tail,
    /FC Initialize Start RequestId: (\S+)\r\n[^]*initializing\n[^]*FC Initialize End RequestId: \1\r\n[^]*FC Invoke Start RequestId: \1\r\n/,
  );
  assert.equal((await world.invoke(name)).text, '1');
  await world.waitForOutput(name, /initializing/);
});

test('a failing initializer: InitializationError with 200, a new instance next time', async () => {
  const code = {
    'index.py':
      'def initialize(context):\n    raise RuntimeError("not ready")\ndef handler(event, context):\n    return "x"\n',
  };
  const instanceLifecycleConfig = new models.InstanceLifecycleConfig({ initializer: hook('index.initialize') });
  const name = await world.deploy('init-fails', code, { runtime: 'python3.10', instanceLifecycleConfig });
  for (let i = 0; i < 2; i++) {
    const failed = await world.invoke(name);
    assert.deepEqual([failed.status, failed.headers['x-fc-error-type']], [200, 'InitializationError']);
    assert.match(failed.text, /not ready/);
  }
  const body = new models.UpdateFunctionInput({
    code: await zipCode({
      'index.py': 'def initialize(context):\n    pass\ndef handler(event, context):\n    return "fixed"\n',
    }),
  });
  await world.client.updateFunction(name, new models.UpdateFunctionRequest({ body }));
  assert.equal((await world.invoke(name)).text, 'fixed');
});

for (const [runtime, code] of [
  [
    'nodejs20',
    { 'index.js': 'exports.preStop = async () => { console.log("last words"); };\nexports.handler = async () => "x";' },
  ],
  [
    'python3.10',
    { 'index.py': 'def preStop(context):\n    print("last words")\ndef handler(event, context):\n    return "x"\n' },
  ],
] as const) {
  test(`${runtime}: pre-stop runs when an update replaces the instance`, async () => {
    const instanceLifecycleConfig = new models.InstanceLifecycleConfig({ preStop: hook('index.preStop') });
    const name = await world.deploy('prestop', code, { runtime, instanceLifecycleConfig });
    await world.invoke(name);
    const body = new models.UpdateFunctionInput({ description: 'changed', environmentVariables: { NEW: '1' } });
    await world.client.updateFunction(name, new models.UpdateFunctionRequest({ body }));
    await world.waitForOutput(name, /FC PreStop Start RequestId: /);
    await world.waitForOutput(name, /last words/);
    await world.waitForOutput(name, /FC PreStop End RequestId: \S+$/m);
  });
}

test('context, per language', async () => {
  const node = await world.deploy('context-node', {
    'index.js': 'exports.handler = async (e, c) => ({ ...c, buffer: Buffer.isBuffer(e) });',
  });
  const context = JSON.parse((await world.invoke(node, 'x')).text) as Record<string, unknown>;
  assert.deepEqual([context['buffer'], (context['function'] as { name: string }).name], [true, node]);
  assert.deepEqual(
    [typeof (context['function'] as { memory: unknown }).memory, typeof context['requestId']],
    ['number', 'string'],
  );
  const source = `import json
def handler(event, context):
    c = context.credentials
    return json.dumps([type(event).__name__, context.function.name, context.request_id, c.access_key_id == c.accessKeyId, context.service.qualifier])
`;
  const python = await world.deploy('context-python', { 'index.py': source }, { runtime: 'python3.10' });
  const answer = await world.invoke(python, 'x');
  assert.deepEqual(JSON.parse(answer.text), ['bytes', python, answer.headers['x-fc-request-id'], true, 'LATEST']);
});
