import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bootTimeVariables,
  instanceEnvironment,
  isBootTimeVariable,
  USUAL_PLACES,
} from '../../../src/services/node/environment.ts';
import { loadFrame, requestCredentials } from '../../../src/services/node/load-frame.ts';
import { orderOf } from './fakes.ts';

const options = {
  region: 'local',
  endpoints: { api: 'http://10.0.0.1:1', objects: 'http://10.0.0.1:2' },
  places: USUAL_PLACES,
};

test('a built-in runtime gets the variables of the reference, the user on top', () => {
  const order = orderOf({
    environmentVariables: { TZ: 'Asia/Shanghai', MY: 'own' },
    initializer: { handler: 'index.init', timeout: 9 },
  });
  const env = instanceEnvironment(order, { SHIM: 'x' }, options);
  assert.deepEqual(env, {
    HOME: '/tmp',
    LANG: 'C.UTF-8',
    TZ: 'Asia/Shanghai',
    PATH: '/code:/code/bin:/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LD_LIBRARY_PATH: '/code:/code/lib:/opt/lib',
    NODE_PATH: '/opt/nodejs/node_modules',
    PYTHONPATH: '/opt/python',
    SHIM: 'x',
    FC_FUNC_CODE_PATH: '/code',
    FC_ACCOUNT_ID: '1234567890123456',
    FC_FUNCTION_HANDLER: 'index.handler',
    FC_FUNCTION_MEMORY_SIZE: '128',
    FC_FUNCTION_NAME: 'f',
    FC_REGION: 'local',
    FC_INSTANCE_ID: order.instanceId,
    FC_VER_ID: 'LATEST',
    FC_FUNCTION_VERSION: 'LATEST',
    FC_RUNTIME: 'nodejs20',
    FC_TIMEOUT: '3',
    FC_INITIALIZER_HANDLER: 'index.init',
    FC_INITIALIZATION_TIMEOUT: '9',
    ALIBABA_CLOUD_ACCESS_KEY_ID: 'STS.id',
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'secret',
    ALIBABA_CLOUD_SECURITY_TOKEN: 'token',
    TIDEMILL_ENDPOINT: 'http://10.0.0.1:1',
    TIDEMILL_OBJECTS_ENDPOINT: 'http://10.0.0.1:2',
    MY: 'own',
  });
});

test('a custom runtime sets its search paths itself and is told its port', () => {
  const order = orderOf({ runtime: 'custom', customRuntimeConfig: { command: [], args: [], port: 9001 } });
  const env = instanceEnvironment(order, {}, options);
  assert.equal(env.PATH, '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
  for (const name of ['LD_LIBRARY_PATH', 'NODE_PATH', 'PYTHONPATH']) assert.equal(env[name], undefined);
  assert.equal(env.FC_CUSTOM_LISTEN_PORT, '9001');
  assert.equal(env.FC_SERVER_PORT, '9001');
});

test('where folders cannot be shown at their usual places, every path says where they are', () => {
  const places = { code: '/data/code/d/tree', opt: '/data/code/l/tree' };
  const env = instanceEnvironment(orderOf(), {}, { ...options, places });
  assert.equal(env.FC_FUNC_CODE_PATH, '/data/code/d/tree');
  assert.match(env.PATH ?? '', /^\/data\/code\/d\/tree:.*:\/data\/code\/l\/tree\/bin:/);
  assert.equal(env.PYTHONPATH, '/data/code/l/tree/python');
  assert.ok(!Object.values(env).some((value) => /(^|:)\/(code|opt)(\/|:|$)/.test(value)));
});

test('credentials go only through the channels that are not switched off', () => {
  const seen = (['None', 'Env', 'Request', 'All'] as const).map((disableInjectCredentials) => {
    const order = orderOf({ disableInjectCredentials });
    const env = instanceEnvironment(order, {}, options);
    return [env.ALIBABA_CLOUD_SECURITY_TOKEN !== undefined, requestCredentials(order) !== undefined];
  });
  assert.deepEqual(seen, [
    [true, true],
    [false, true],
    [true, false],
    [false, false],
  ]);
});

test('variables read while a process boots are told from those read later', () => {
  for (const name of ['NODE_OPTIONS', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'PYTHONHOME', 'PYTHONUNBUFFERED', 'LC_ALL']) {
    assert.equal(isBootTimeVariable(name), true, name);
  }
  for (const name of ['NODE_ENV', 'NODE_PATH', 'PYTHONPATH', 'TZ', 'PATH', 'MY_LD_PRELOAD', 'NODE_OPTIONS_2']) {
    assert.equal(isBootTimeVariable(name), false, name);
  }
  const { config } = orderOf({ environmentVariables: { A: '1', LD_PRELOAD: 'x' } }).spec;
  assert.deepEqual(bootTimeVariables(config), { LD_PRELOAD: 'x' });
});

test('the load frame says what the context shows', () => {
  const order = orderOf({
    preStop: { handler: 'index.bye', timeout: 3 },
    logConfig: {
      project: 'p',
      logstore: 's',
      enableRequestMetrics: false,
      enableInstanceMetrics: false,
      logBeginRule: 'None',
    },
  });
  assert.deepEqual(loadFrame(order, 'local', '/code', { A: '1' }), {
    runtime: 'nodejs20',
    concurrency: 1,
    handler: 'index.handler',
    codePath: '/code',
    env: { A: '1' },
    function: { name: 'f', handler: 'index.handler', memory: 128, timeout: 3 },
    service: { logProject: 'p', logStore: 's', versionId: 'LATEST' },
    region: 'local',
    accountId: '1234567890123456',
    initializer: '',
    preStop: 'index.bye',
    requestId: order.requestId,
  });
});
