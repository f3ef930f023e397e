import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { Principal } from '../../../src/core/domain/credentials.ts';
import type { RequestConditions } from '../../../src/core/domain/policy/decision.ts';
import { ACCESS_RULES, needsBody, resourcesOf } from '../../../src/doors/fc/access-rules.ts';
import { checkDeployRights } from '../../../src/doors/fc/deploy-rights.ts';
import type { OperationRequest } from '../../../src/doors/fc/operation.ts';
import { operations } from '../../../src/doors/fc/operations.ts';
import { readTrustPolicy } from '../../../src/services/access/index.ts';
import { signed } from '../../../conformance/signing.ts';
import { ACCOUNT, partial, ROOT } from '../door-world.ts';
import { fcWorld } from './fc-world.ts';

interface Asked {
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
}

const asked: Asked[] = [];
const denied = new Set<string>();

/** Notes what is asked, and denies some of it. */
const access = {
  check(principal: Principal, action: string, resource: string, _context?: RequestConditions): void {
    asked.push({ principal: principal.arn, action, resource });
    if (denied.has('*') || denied.has(action)) throw new TidemillError('AccessDenied', `${action} on ${resource}`);
  },
  decide: () => ({ effect: 'implicit-deny' as const, reason: '' }),
};

beforeEach(() => {
  asked.length = 0;
  denied.clear();
});

const world = await fcWorld({ access });
after(() => world.close());

test('every operation has a right, and there is no right without an operation', () => {
  const names = [...operations.map((operation) => operation.name), 'InvokeFunction'];
  assert.deepEqual(Object.keys(ACCESS_RULES).sort(), names.sort());
});

test('every operation asks before anything else happens: denied, it reaches no port', async () => {
  denied.add('*');
  const all = [...operations, { name: 'InvokeFunction', method: 'POST', path: '/functions/:functionName/invocations' }];
  for (const { name, method, path } of all) {
    const target = `/2023-03-30${path.replaceAll(/:\w+/g, 'some').replace('*', 'x')}`;
    const body = method === 'GET' || method === 'DELETE' ? '' : '{}';
    const { url, headers } = signed(
      { endpoint: world.server.url, accessKeyId: 'AKTEST', accessKeySecret: 'SKTEST' },
      { method, path: target, body },
    );
    const response = await fetch(url, { method, headers, ...(body === '' ? {} : { body }) });
    const answer = (await response.json()) as { Code: string; Message: string; RequestId: string };
    assert.deepEqual([name, response.status, answer.Code], [name, 403, 'AccessDenied']);
    assert.match(answer.Message, /fc:\w+ on acs:fc:local:1234567890123456:/);
    assert.notEqual(answer.RequestId, '');
  }
  assert.equal(asked.length, all.length);
});

function requestOf(parts: Partial<OperationRequest>): OperationRequest {
  return { account: ACCOUNT, requestId: 'r', params: {}, query: {}, body: {}, lineage: undefined, ...parts };
}

test('resources name what the request is about', () => {
  const about = (name: string, parts: Partial<OperationRequest>) => resourcesOf(ACCESS_RULES[name]!, requestOf(parts));
  assert.deepEqual(about('CreateFunction', { body: { functionName: 'f' } }), ['functions/f']);
  assert.deepEqual(about('CreateFunction', { body: { functionName: 5 } }), ['functions/*']);
  assert.deepEqual(about('GetFunction', { params: { functionName: 'f' } }), ['functions/f']);
  assert.deepEqual(about('ListAsyncInvokeConfigs', { query: { functionName: 'f' } }), ['functions/f']);
  assert.deepEqual(about('ListAsyncInvokeConfigs', {}), ['functions/*']);
  assert.deepEqual(about('CreateTrigger', { params: { functionName: 'f' }, body: { triggerName: 't' } }), [
    'functions/f/triggers/t',
  ]);
  // the path wins over the body
  assert.deepEqual(
    about('UpdateTrigger', { params: { functionName: 'f', triggerName: 't' }, body: { triggerName: 'mine' } }),
    ['functions/f/triggers/t'],
  );
  const ids = [`acs:fc:local:${ACCOUNT}:functions/f`, `acs:fc:local:${ACCOUNT}:functions/g`];
  assert.deepEqual(about('TagResources', { body: { ResourceId: ids } }), ['functions/f', 'functions/g']);
  assert.deepEqual(about('UntagResources', { query: { ResourceId: JSON.stringify(ids) } }), [
    'functions/f',
    'functions/g',
  ]);
  assert.deepEqual(about('ListTagResources', {}), ['functions/*']);
  assert.deepEqual(about('GetLayerVersionByArn', { params: { '*': `acs:fc:local:${ACCOUNT}:layers/l/versions/3` } }), [
    'layers/l/versions/3',
  ]);
  assert.deepEqual(about('GetLayerVersionByArn', { params: { '*': 'acs:fc:local:9:layers/l/versions/3' } }), [
    'layers/*',
  ]);
  assert.deepEqual(
    about('CreateFunction', { body: JSON.parse('{"__proto__":{"functionName":"x"}}') as Record<string, unknown> }),
    ['functions/*'],
  );
  assert.ok(needsBody(ACCESS_RULES['CreateFunction']!) && !needsBody(ACCESS_RULES['UpdateFunction']!));
});

const TRUSTS_FC = readTrustPolicy(
  JSON.stringify({
    Version: '1',
    Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'fc.aliyuncs.com' } }],
  }),
);
const TRUSTS_OSS = readTrustPolicy(
  JSON.stringify({
    Version: '1',
    Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'oss.aliyuncs.com' } }],
  }),
);

function deploy(operation: string, parts: Partial<OperationRequest>, before: object = {}): Promise<void> {
  const control = partial<Parameters<typeof checkDeployRights>[0]['control']>('control', {
    getTrigger: () => Promise.resolve({ config: { type: 'timer' }, invocationRole: '', ...before } as never),
  });
  const roles = {
    trustOf: (_account: string, name: string) => ({ worker: TRUSTS_FC, notifier: TRUSTS_OSS })[name.toLowerCase()],
  };
  const conditions = { get: () => undefined };
  return checkDeployRights({ access, control, region: 'local', roles }, operation, {
    principal: ROOT,
    request: requestOf({ params: { functionName: 'f', triggerName: 't' }, ...parts }),
    conditions,
  });
}

const WORKER = `acs:ram::${ACCOUNT}:role/worker`;
const said = (): string[] => asked.map(({ action, resource }) => `${action} ${resource}`);

test('passing a role takes ram:PassRole on it, and a role that trusts the service', async () => {
  for (const operation of ['CreateFunction', 'UpdateFunction']) {
    asked.length = 0;
    await deploy(operation, { body: { role: `acs:ram::${ACCOUNT}:role/Worker` } });
    assert.deepEqual(said(), [`ram:PassRole ${WORKER}`]);
  }
  await assert.rejects(
    deploy('CreateFunction', { body: { role: `acs:ram::${ACCOUNT}:role/notifier` } }),
    /does not trust fc/,
  );
  await assert.rejects(
    deploy('CreateFunction', { body: { role: `acs:ram::${ACCOUNT}:role/nobody` } }),
    /does not exist/,
  );
  await assert.rejects(deploy('CreateFunction', { body: { role: 'worker' } }), /not the ARN of a role/);
  asked.length = 0;
  await deploy('UpdateFunction', { body: { role: '' } });
  await deploy('UpdateFunction', { body: {} });
  assert.deepEqual(said(), []);
  denied.add('ram:PassRole');
  await assert.rejects(deploy('CreateFunction', { body: { role: WORKER } }), /ram:PassRole/);
});

test('code is taken from objects that the deployer may read', async () => {
  const code = { ossBucketName: 'b', ossObjectName: 'k/a.zip' };
  for (const operation of ['CreateFunction', 'UpdateFunction', 'CreateLayerVersion']) {
    asked.length = 0;
    await deploy(operation, { body: { code } });
    assert.deepEqual(said(), [`oss:GetObject acs:oss:local:${ACCOUNT}:b/k/a.zip`]);
  }
  denied.add('oss:GetObject');
  await assert.rejects(deploy('CreateFunction', { body: { code } }), /oss:GetObject/);
});

test('layers are mounted by who may read them', async () => {
  const layers = [`acs:fc:local:${ACCOUNT}:layers/own/versions/3`, 'acs:fc:local:9:layers/theirs/versions/1', 'x', 5];
  await deploy('CreateFunction', { body: { layers } });
  assert.deepEqual(said(), [`fc:GetLayerVersion acs:fc:local:${ACCOUNT}:layers/own/versions/3`]);
  denied.add('fc:GetLayerVersion');
  await assert.rejects(deploy('UpdateFunction', { body: { layers } }), /fc:GetLayerVersion/);
});

test('results go where the deployer may send them', async () => {
  const destinationConfig = {
    onSuccess: { destination: `acs:fc:local:${ACCOUNT}:functions/g/live` },
    onFailure: { destination: 'acs:oss:local::bkt/failed/' },
  };
  await deploy('PutAsyncInvokeConfig', { body: { destinationConfig } });
  assert.deepEqual(said(), [
    `fc:InvokeFunction acs:fc:local:${ACCOUNT}:functions/g/live`,
    `oss:PutObject acs:oss:local:${ACCOUNT}:bkt/failed/*`,
  ]);
  asked.length = 0;
  await deploy('PutAsyncInvokeConfig', { body: { destinationConfig: { onSuccess: { destination: 'https://x/y' } } } });
  assert.deepEqual(said(), []);
});

test('a trigger invokes by the right of who makes it, or as a role that may', async () => {
  const F = `acs:fc:local:${ACCOUNT}:functions/f`;
  await deploy('CreateTrigger', { body: { triggerType: 'timer' } });
  assert.deepEqual(said(), [`fc:InvokeFunction ${F}`]);
  asked.length = 0;
  const oss = { triggerType: 'oss', sourceArn: `acs:oss:local:${ACCOUNT}:bkt`, qualifier: 'live' };
  await deploy('CreateTrigger', { body: { ...oss, invocationRole: `acs:ram::${ACCOUNT}:role/notifier` } });
  assert.deepEqual(asked, [
    { principal: ROOT.arn, action: 'ram:PassRole', resource: `acs:ram::${ACCOUNT}:role/notifier` },
    { principal: ROOT.arn, action: 'fc:InvokeFunction', resource: `${F}/live` },
    {
      principal: `acs:ram::${ACCOUNT}:assumed-role/notifier/trigger`,
      action: 'fc:InvokeFunction',
      resource: `${F}/live`,
    },
    { principal: ROOT.arn, action: 'oss:PutBucketNotification', resource: `acs:oss:local:${ACCOUNT}:bkt` },
  ]);
  await assert.rejects(
    deploy('CreateTrigger', { body: { triggerType: 'timer', invocationRole: `acs:ram::${ACCOUNT}:role/notifier` } }),
    /does not trust fc/,
  );
  denied.add('fc:InvokeFunction');
  await assert.rejects(deploy('CreateTrigger', { body: { triggerType: 'http' } }), /fc:InvokeFunction/);
  await assert.rejects(deploy('UpdateTrigger', { body: { description: 'x' } }), /fc:InvokeFunction/);
});
