import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Client, ECHO, failsWith, models, World } from '../fc/world.ts';
import { signed, triggerSigned } from '../signing.ts';
import { connect, type Platform } from '../start.ts';
import {
  fcOf,
  type Keys,
  newName,
  newUser,
  ossOf,
  policyOf,
  ram,
  type RamClient,
  ramOf,
  sts,
  stsOf,
  trustOf,
} from './identity-world.ts';

let platform: Platform;
let root: RamClient;
let world: World;
let account: string;
before(async () => {
  platform = await connect();
  root = ramOf(platform);
  world = await World.open(platform);
  account = (await stsOf(platform).getCallerIdentity()).body?.accountId ?? '';
});
after(() => world.close());

const denied = failsWith('AccessDenied', 403);
const fn = (name: string): string => `acs:fc:*:${account}:functions/${name}`;

async function userWith(...custom: readonly string[]): Promise<{ userName: string; keys: Keys; client: Client }> {
  const user = await newUser(root, { custom });
  return { ...user, client: fcOf(platform, user.keys) };
}

async function roleWith(service: string, ...documents: readonly string[]): Promise<string> {
  const roleName = newName('role');
  const assumeRolePolicyDocument = trustOf({ Service: [service] });
  await root.createRole(new ram.CreateRoleRequest({ roleName, assumeRolePolicyDocument }));
  for (const policyDocument of documents) {
    const policyName = newName('policy');
    await root.createPolicy(new ram.CreatePolicyRequest({ policyName, policyDocument }));
    await root.attachPolicyToRole(new ram.AttachPolicyToRoleRequest({ roleName, policyName, policyType: 'Custom' }));
  }
  return `acs:ram::${account}:role/${roleName}`;
}

async function invoke(client: Client, name: string, qualifier?: string): Promise<{ statusCode?: number }> {
  const request = new models.InvokeFunctionRequest(qualifier === undefined ? {} : { qualifier });
  const { statusCode, body } = await client.invokeFunction(name, request);
  body?.resume(); // what is not read keeps its connection busy
  return statusCode === undefined ? {} : { statusCode };
}

test('a user invokes and reads what its policy names, and the refusal says what is missing', async () => {
  const [mine, other] = [await world.deploy('mine', ECHO), await world.deploy('other', ECHO)];
  const { client, userName } = await userWith(policyOf('Allow', ['fc:InvokeFunction', 'fc:Get*'], [fn(mine)]));
  assert.equal((await invoke(client, mine)).statusCode, 200);
  assert.equal((await invoke(client, mine, 'LATEST')).statusCode, 200);
  assert.equal((await client.getFunction(mine, new models.GetFunctionRequest({}))).body?.functionName, mine);
  await assert.rejects(invoke(client, other), (error: Error & { data?: { Message?: string; RequestId?: string } }) => {
    const { Message = '', RequestId = '' } = error.data ?? {};
    for (const part of [`user/${userName}`, 'fc:InvokeFunction', `functions/${other}`, 'no policy allows it']) {
      assert.ok(Message.includes(part), `${part} is not in ${Message}`);
    }
    return RequestId !== '';
  });
  await assert.rejects(invoke(client, mine, 'prod'), denied); // another resource
  await assert.rejects(invoke(client, 'nothere'), denied); // who may not look learns nothing
  await assert.rejects(client.listFunctions(new models.ListFunctionsRequest({})), denied);
  await assert.rejects(client.deleteFunction(mine), denied);
  await assert.rejects(client.getFunctionCode(other, new models.GetFunctionCodeRequest({})), denied);
});

test('a change of policies is seen by the next call, a Deny wins over any Allow', async () => {
  const name = await world.deploy('changing', ECHO);
  const { client, userName } = await userWith();
  await assert.rejects(invoke(client, name), denied);
  const attach = (policyName: string, policyType: string) =>
    root.attachPolicyToUser(new ram.AttachPolicyToUserRequest({ policyName, policyType, userName }));
  await attach('AliyunFCInvocationAccess', 'System');
  assert.equal((await invoke(client, name)).statusCode, 200);
  const policyName = newName('deny');
  const policyDocument = policyOf('Deny', ['fc:Invoke*'], [fn(name)]);
  await root.createPolicy(new ram.CreatePolicyRequest({ policyName, policyDocument }));
  await attach(policyName, 'Custom');
  await assert.rejects(invoke(client, name), new RegExp(`statement 1 of the custom policy ${policyName} denies it`));
  await root.detachPolicyFromUser(new ram.DetachPolicyFromUserRequest({ policyName, policyType: 'Custom', userName }));
  assert.equal((await invoke(client, name)).statusCode, 200);
});

test('conditions are about the request: address, transport, time, program', async () => {
  const name = await world.deploy('conditions', ECHO);
  const when = (condition: object): string =>
    JSON.stringify({
      Version: '1',
      Statement: [{ Effect: 'Allow', Action: 'fc:InvokeFunction', Resource: '*', Condition: condition }],
    });
  const here = await userWith(
    when({ IpAddress: { 'acs:SourceIp': ['127.0.0.0/8'] }, Bool: { 'acs:SecureTransport': 'false' } }),
  );
  assert.equal((await invoke(here.client, name)).statusCode, 200);
  for (const condition of [
    { NotIpAddress: { 'acs:SourceIp': '127.0.0.0/8' } },
    { Bool: { 'acs:SecureTransport': 'true' } },
    { DateLessThan: { 'acs:CurrentTime': '2020-01-01T00:00:00Z' } },
    { StringNotLike: { 'acs:PrincipalARN': 'acs:ram:*:*:user/*' } },
  ]) {
    await assert.rejects(invoke((await userWith(when(condition))).client, name), denied, JSON.stringify(condition));
  }
});

test('signed HTTP triggers ask for the right to invoke', async () => {
  const name = await world.deploy('signed-trigger', ECHO);
  const triggerConfig = JSON.stringify({ authType: 'function', methods: ['GET'] });
  const body = new models.CreateTriggerInput({ triggerName: 'web', triggerType: 'http', triggerConfig });
  const created = await world.client.createTrigger(name, new models.CreateTriggerRequest({ body }));
  const url = created.body?.httpTrigger?.urlInternet ?? '';
  const call = async (keys: Keys) =>
    (await fetch(url, { headers: triggerSigned({ ...platform, ...keys }, 'GET', url) })).status;
  const allowed = await userWith(policyOf('Allow', ['fc:InvokeFunction'], [fn(name)]));
  const reader = await userWith(policyOf('Allow', ['fc:Get*'], ['*']));
  assert.deepEqual([await call(platform), await call(allowed.keys), await call(reader.keys)], [200, 200, 403]);
});

test('logs and other operations of the command line ask for rights as well', async () => {
  const [mine, other] = [await world.deploy('logs-mine', ECHO), await world.deploy('logs-other', ECHO)];
  const { keys } = await userWith(policyOf('Allow', ['fc:GetFunctionLogs', 'fc:ListInstances'], [fn(mine)]));
  const get = async (path: string): Promise<number> => {
    const { url, headers } = signed({ ...platform, ...keys }, { method: 'GET', path: `/tidemill/v1${path}` });
    return (await fetch(url, { headers })).status;
  };
  assert.deepEqual(
    [
      await get(`/functions/${mine}/logs`),
      await get(`/functions/${mine}/instances`),
      await get(`/functions/${mine}/invocations`),
      await get(`/functions/${other}/logs`),
      await get('/queue'),
      await get('/dead-letters'),
      await get('/replays/1-unknown'),
    ],
    [200, 200, 403, 403, 403, 403, 404],
  );
});

test('objects: folders, listings by prefix, and what is denied explicitly', async () => {
  const bucket = newName('bucket');
  const owner = ossOf(platform, platform);
  await owner.putBucket(bucket);
  owner.useBucket(bucket);
  for (const key of ['own/a', 'own/locked', 'other/a']) await owner.put(key, Buffer.from(key));
  const document = JSON.stringify({
    Version: '1',
    Statement: [
      { Effect: 'Allow', Action: ['oss:GetObject', 'oss:PutObject'], Resource: `acs:oss:*:*:${bucket}/own/*` },
      {
        Effect: 'Allow',
        Action: 'oss:ListObjects',
        Resource: `acs:oss:*:*:${bucket}`,
        Condition: { StringLike: { 'oss:Prefix': 'own/*' } },
      },
      { Effect: 'Deny', Action: 'oss:*', Resource: `acs:oss:*:*:${bucket}/own/locked` },
    ],
  });
  const user = ossOf(platform, (await userWith(document)).keys, bucket);
  const refused = { code: 'AccessDenied', status: 403 };
  assert.equal(String((await user.get('own/a')).content), 'own/a');
  await user.put('own/b', Buffer.from('b'));
  assert.equal((await user.listV2({ prefix: 'own/' })).objects.length, 3);
  for (const attempt of [
    () => user.get('other/a'),
    () => user.get('own/locked'),
    () => user.put('x', Buffer.from('x')),
    () => user.delete('own/b'),
    () => user.copy('own/c', 'other/a'),
    () => user.listV2({}),
    () => user.listBuckets({}),
    () => user.deleteBucket(bucket),
  ]) {
    await assert.rejects(attempt(), refused, String(attempt));
  }
});

test('deploying takes what the deploy will do: pass a role, read the code, invoke, listen to a bucket', async () => {
  const bucket = newName('code');
  const owner = ossOf(platform, platform);
  await owner.putBucket(bucket);
  const worker = await roleWith('fc.aliyuncs.com');
  const stranger = await roleWith('ecs.aliyuncs.com');
  const name = await world.deploy('deployed', ECHO);
  const { client } = await userWith(policyOf('Allow', ['fc:UpdateFunction', 'fc:*Trigger', 'fc:Put*'], ['*']));
  const update = (as: Client, input: ConstructorParameters<typeof models.UpdateFunctionInput>[0]) =>
    as.updateFunction(name, new models.UpdateFunctionRequest({ body: new models.UpdateFunctionInput(input) }));
  await update(client, { description: 'fine' });
  await assert.rejects(update(client, { role: worker }), denied);
  await assert.rejects(
    update(client, { code: new models.InputCodeLocation({ ossBucketName: bucket, ossObjectName: 'a.zip' }) }),
    denied,
  );
  const passing = await userWith(
    policyOf('Allow', ['fc:UpdateFunction'], ['*']),
    JSON.stringify({
      Version: '1',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'ram:PassRole',
          Resource: '*',
          Condition: { StringEquals: { 'acs:Service': 'fc.aliyuncs.com' } },
        },
      ],
    }),
  );
  await update(passing.client, { role: worker });
  await assert.rejects(update(passing.client, { role: stranger }), denied); // it trusts somebody else
  await assert.rejects(update(world.client, { role: `${worker}x` }), failsWith('InvalidArgument', 400));
  await update(world.client, { role: '' });

  const trigger = (as: Client, input: ConstructorParameters<typeof models.CreateTriggerInput>[0]) =>
    as.createTrigger(name, new models.CreateTriggerRequest({ body: new models.CreateTriggerInput(input) }));
  const timer = { triggerName: 'timer', triggerType: 'timer', triggerConfig: '{"cronExpression":"@every 5m"}' };
  await assert.rejects(trigger(client, timer), denied); // may make triggers, may not invoke
  const invoker = await userWith(policyOf('Allow', ['fc:CreateTrigger', 'fc:InvokeFunction'], ['*']));
  await trigger(invoker.client, timer);
  const oss = {
    triggerName: 'uploads',
    triggerType: 'oss',
    sourceArn: `acs:oss:local:${account}:${bucket}`,
    triggerConfig: '{"events":["oss:ObjectCreated:*"]}',
  };
  await assert.rejects(trigger(invoker.client, oss), denied); // may not listen to the bucket
  const config = new models.PutAsyncInvokeConfigInput({
    destinationConfig: new models.DestinationConfig({
      onSuccess: new models.Destination({ destination: fn('another').replace('*', 'local') }),
    }),
  });
  await assert.rejects(
    client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body: config })),
    denied,
  );
});

test('a trigger with a role invokes for as long as the role allows it', async () => {
  const bucket = newName('events');
  const owner = ossOf(platform, platform);
  await owner.putBucket(bucket);
  owner.useBucket(bucket);
  const name = await world.deploy('role-trigger', {
    'index.js': `exports.handler = async (raw) => { console.log('got ' + JSON.parse(raw).events[0].oss.object.key); };`,
  });
  const powerless = await roleWith('oss.aliyuncs.com');
  const input = {
    triggerName: 'uploads',
    triggerType: 'oss',
    sourceArn: `acs:oss:local:${account}:${bucket}`,
    triggerConfig: '{"events":["oss:ObjectCreated:*"]}',
  };
  const create = (invocationRole: string) => {
    const body = new models.CreateTriggerInput({ ...input, invocationRole });
    return world.client.createTrigger(name, new models.CreateTriggerRequest({ body }));
  };
  await assert.rejects(create(powerless), denied);
  const role = await roleWith('oss.aliyuncs.com', policyOf('Allow', ['fc:InvokeFunction'], [fn(name)]));
  await create(role);
  await owner.put('first', Buffer.from('1'));
  await world.waitForOutput(name, /got first/);
  const roleName = role.split('/')[1] ?? '';
  const attached = await root.listPoliciesForRole(new ram.ListPoliciesForRoleRequest({ roleName }));
  for (const { policyName, policyType } of attached.body?.policies?.policy ?? []) {
    await root.detachPolicyFromRole(
      new ram.DetachPolicyFromRoleRequest({
        roleName,
        ...(policyName === undefined ? {} : { policyName }),
        ...(policyType === undefined ? {} : { policyType }),
      }),
    );
  }
  await owner.put('second', Buffer.from('2'));
  const ended = await world.waitFor(name, (fact) => fact.type === 'event-ended' && fact['state'] === 'Invalid');
  assert.match(JSON.stringify(ended), /is not authorized to perform fc:InvokeFunction/);
});

test('a session of a role is narrowed by its policy', async () => {
  const [mine, other] = [await world.deploy('session-mine', ECHO), await world.deploy('session-other', ECHO)];
  const { keys } = await newUser(root, { system: ['AliyunSTSAssumeRoleAccess'] });
  const roleName = newName('role');
  const assumeRolePolicyDocument = trustOf({ RAM: [`acs:ram::${account}:root`] });
  await root.createRole(new ram.CreateRoleRequest({ roleName, assumeRolePolicyDocument }));
  await root.attachPolicyToRole(
    new ram.AttachPolicyToRoleRequest({ roleName, policyName: 'AliyunFCFullAccess', policyType: 'System' }),
  );
  const roleArn = `acs:ram::${account}:role/${roleName}`;
  const policy = policyOf('Allow', ['fc:InvokeFunction', 'oss:*'], [fn(mine), 'acs:oss:*']);
  const assumed = await stsOf(platform, keys).assumeRole(
    new sts.AssumeRoleRequest({ roleArn, roleSessionName: 'narrow', policy }),
  );
  const { accessKeyId = '', accessKeySecret = '', securityToken = '' } = assumed.body?.credentials ?? {};
  const client = fcOf(platform, { accessKeyId, accessKeySecret, securityToken });
  assert.equal((await invoke(client, mine)).statusCode, 200);
  await assert.rejects(invoke(client, other), /but the session policy does not/);
  await assert.rejects(client.getFunction(mine, new models.GetFunctionRequest({})), denied);
  const oss = ossOf(platform, { accessKeyId, accessKeySecret, securityToken });
  await assert.rejects(oss.listBuckets({}), { code: 'AccessDenied' }); // the session does not add to the role
});

test('policy simulate says what happens, with the statement that decides', async () => {
  const { userName } = await userWith(policyOf('Deny', ['fc:*'], ['*']));
  const dir = mkdtempSync(join(tmpdir(), 'tm-simulate-'));
  after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'draft.json');
  writeFileSync(file, policyOf('Allow', ['oss:GetObject'], ['acs:oss:*:*:photos/*']));
  const simulate = (...args: readonly string[]) => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, '../../bin/tidemill.mjs'), 'policy', 'simulate', ...args, '--json'],
      {
        encoding: 'utf8',
        env: {
          ...process.env,
          TIDEMILL_ENDPOINT: platform.endpoint,
          TIDEMILL_ACCESS_KEY_ID: platform.accessKeyId,
          TIDEMILL_ACCESS_KEY_SECRET: platform.accessKeySecret,
        },
      },
    );
    return {
      status,
      answer: JSON.parse(stdout) as { effect: string; by?: { statement: number }; considered: unknown[] },
    };
  };
  const invoked = simulate('fc:InvokeFunction', `acs:fc:local:${account}:functions/f`, '-p', `user/${userName}`);
  assert.deepEqual([invoked.status, invoked.answer.effect, invoked.answer.by?.statement], [1, 'explicit-deny', 1]);
  const read = simulate(
    'oss:GetObject',
    `acs:oss:local:${account}:photos/a`,
    '-p',
    `user/${userName}`,
    '--policy',
    file,
  );
  assert.deepEqual([read.status, read.answer.effect, read.answer.considered.length], [0, 'allow', 2]);
  assert.equal(simulate('oss:PutObject', `acs:oss:local:${account}:photos/a`, '--policy', file).status, 1);
});
