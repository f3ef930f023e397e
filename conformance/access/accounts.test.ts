import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith, models, World, zipCode } from '../fc/world.ts';
import { signed } from '../signing.ts';
import { connect, type Platform } from '../start.ts';
import { fcOf, type Keys, newName, newUser, ossOf, ram, ramOf, sts, stsOf, trustOf } from './identity-world.ts';

let platform: Platform;
before(async () => {
  platform = await connect();
});
after(() => platform.close());

interface AccountAnswer {
  readonly account: string;
  readonly status: string;
  readonly quotas: Readonly<Record<string, number>>;
  readonly usage: Readonly<Record<string, number>>;
}

/** A call of the accounts API, as somebody. */
async function call<T>(keys: Keys, method: string, path: string, body?: unknown): Promise<{ status: number; json: T }> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const { url, headers } = signed({ ...platform, ...keys }, { method, path: `/tidemill/v1${path}`, body: text });
  const res = await fetch(url, { method, headers, ...(text === '' ? {} : { body: text }) });
  return { status: res.status, json: (await res.json()) as T };
}

/** A second account, and the platform as its root sees it. */
async function newAccount(): Promise<{ readonly id: string; readonly keys: Keys; readonly world: World }> {
  const { status, json } = await call<{ account: AccountAnswer; key: Keys }>(platform, 'POST', '/accounts', {
    name: newName('team'),
  });
  assert.equal(status, 200);
  const keys = json.key;
  const world = await World.open({ ...platform, ...keys, close: async () => {} });
  return { id: json.account.account, keys, world };
}

const own = (text: string) => ({ 'index.js': `exports.handler = async () => ${JSON.stringify(text)};` });

test('two accounts with the same names keep everything apart', { timeout: 120_000 }, async () => {
  const first = await World.open({ ...platform, close: async () => {} });
  const { id, keys, world: second } = await newAccount();
  const mine = (await stsOf(platform).getCallerIdentity()).body?.accountId ?? '';
  assert.notEqual(id, mine);
  const name = first.name('same');
  for (const [world, text] of [
    [first, 'of the first'],
    [second, 'of the second'],
  ] as const) {
    const input = new models.CreateFunctionInput({
      ...{ functionName: name, runtime: 'nodejs20', handler: 'index.handler', memorySize: 256, cpu: 0.25 },
      environmentVariables: { SECRET: text },
      code: await zipCode(own(text)),
    });
    await world.client.createFunction(new models.CreateFunctionRequest({ body: input }));
  }
  // each one calls its own, at the same time and again and again
  for (let round = 0; round < 3; round++) {
    const [a, b] = await Promise.all([first.invoke(name), second.invoke(name)]);
    assert.deepEqual([a.text, b.text], ['of the first', 'of the second']);
    assert.notEqual(a.headers['x-fc-instance-id'], b.headers['x-fc-instance-id']);
  }
  const got = await second.client.getFunction(name, new models.GetFunctionRequest({}));
  assert.equal(got.body?.environmentVariables?.['SECRET'], 'of the second');
  assert.ok(got.body?.functionArn?.includes(id));
  const listed = await second.client.listFunctions(new models.ListFunctionsRequest({ limit: 100 }));
  assert.deepEqual(
    listed.body?.functions?.map((each) => each.functionName),
    [name],
  );
  // the second's deletion leaves the first's alone
  await second.client.deleteFunction(name);
  await assert.rejects(second.invoke(name), failsWith('FunctionNotFound', 404));
  assert.equal((await first.invoke(name)).text, 'of the first');
  // what only the first has does not exist for the second
  for (const path of ['logs', 'invocations', 'instances']) {
    const answer = await call<unknown>(keys, 'GET', `/functions/${name}/${path}`).catch(() => ({ status: 200 }));
    assert.ok(answer.status === 404 || path === 'logs', path);
  }
  const instances = await first.client.listInstances(name, new models.ListInstancesRequest({}));
  assert.ok((instances.body?.instances?.length ?? 0) > 0);
  await assert.rejects(
    second.client.listInstances(name, new models.ListInstancesRequest({})),
    failsWith('FunctionNotFound', 404),
  );
  await first.close();
});

test('ARNs of another account lead nowhere: functions, layers, destinations, triggers, roles', async () => {
  const first = await World.open({ ...platform, close: async () => {} });
  const { keys, world: second } = await newAccount();
  const mine = (await stsOf(platform).getCallerIdentity()).body?.accountId ?? '';
  const target = await first.deploy('target', own('x'));
  const layerName = newName('layer');
  const body = new models.CreateLayerVersionInput({ code: await zipCode(own('x')), compatibleRuntime: ['nodejs20'] });
  const layer = await first.client.createLayerVersion(layerName, new models.CreateLayerVersionRequest({ body }));
  await assert.rejects(
    second.deploy('thief', own('y'), { layers: [layer.body?.layerVersionArn ?? ''] }),
    (error: { statusCode?: number }) =>
      error.statusCode === 404 || error.statusCode === 403 || error.statusCode === 400,
  );
  const name = await second.deploy('own', own('y'));
  await assert.rejects(
    second.client.putAsyncInvokeConfig(
      name,
      new models.PutAsyncInvokeConfigRequest({
        body: new models.PutAsyncInvokeConfigInput({
          destinationConfig: new models.DestinationConfig({
            onSuccess: new models.Destination({ destination: `acs:fc:local:${mine}:functions/${target}` }),
          }),
        }),
      }),
    ),
    failsWith('AccessDenied', 403),
  );
  const bucket = newName('b').toLowerCase();
  await ossOf(platform, platform).putBucket(bucket);
  await assert.rejects(
    second.client.createTrigger(
      name,
      new models.CreateTriggerRequest({
        body: new models.CreateTriggerInput({
          ...{ triggerName: 't', triggerType: 'oss', sourceArn: `acs:oss:local:${mine}:${bucket}` },
          triggerConfig: JSON.stringify({
            events: ['oss:ObjectCreated:*'],
            filter: { key: { prefix: '', suffix: '' } },
          }),
        }),
      }),
    ),
    (error: { statusCode?: number }) => (error.statusCode ?? 0) >= 400,
  );
  await assert.rejects(
    second.client.createFunction(
      new models.CreateFunctionRequest({
        body: new models.CreateFunctionInput({
          ...{ functionName: newName('f'), runtime: 'nodejs20', handler: 'index.handler' },
          code: new models.InputCodeLocation({ ossBucketName: bucket, ossObjectName: 'x.zip' }),
        }),
      }),
    ),
    (error: { statusCode?: number }) => (error.statusCode ?? 0) >= 400,
  );
  // a role of the first that trusts nobody outside
  const roleName = newName('role');
  const assumeRolePolicyDocument = trustOf({ Service: ['fc.aliyuncs.com'] });
  await ramOf(platform).createRole(new ram.CreateRoleRequest({ roleName, assumeRolePolicyDocument }));
  await assert.rejects(second.deploy('g', own('y'), { role: `acs:ram::${mine}:role/${roleName}` }));
  const { keys: user } = await newUser(ramOf(platform, keys), { system: ['AdministratorAccess'] });
  await assert.rejects(
    stsOf(platform, user).assumeRole(
      new sts.AssumeRoleRequest({ roleArn: `acs:ram::${mine}:role/${roleName}`, roleSessionName: 'thief' }),
    ),
    failsWith('NoPermission', 403),
  );
  await second.close();
  await first.close();
});

test('buckets: one name, one owner; objects of others are refused', async () => {
  const { keys } = await newAccount();
  const bucket = newName('taken').toLowerCase();
  const first = ossOf(platform, platform);
  await first.putBucket(bucket);
  first.useBucket(bucket);
  await first.put('secret.txt', Buffer.from('mine'));
  const other = ossOf(platform, keys);
  await assert.rejects(other.putBucket(bucket), { code: 'BucketAlreadyExists' });
  other.useBucket(bucket);
  await assert.rejects(other.get('secret.txt'), { code: 'AccessDenied' });
  await assert.rejects(other.put('secret.txt', Buffer.from('x')), { code: 'AccessDenied' });
  await assert.rejects(other.listV2({}), { code: 'AccessDenied' });
  await assert.rejects(other.deleteBucket(bucket), { code: 'AccessDenied' });
  const seen = (await other.listBuckets({})) as unknown as { buckets: { name: string }[] | null };
  assert.deepEqual(seen.buckets ?? [], []);
});

test('across accounts a role is the way, when both sides agree', async () => {
  const { id, keys } = await newAccount();
  const mine = (await stsOf(platform).getCallerIdentity()).body?.accountId ?? '';
  const bucket = newName('shared').toLowerCase();
  const first = ossOf(platform, platform);
  await first.putBucket(bucket);
  first.useBucket(bucket);
  await first.put('a.txt', Buffer.from('shared'));
  const roleName = newName('reader');
  await ramOf(platform).createRole(
    new ram.CreateRoleRequest({
      roleName,
      assumeRolePolicyDocument: trustOf({ RAM: [`acs:ram::${id}:root`] }),
    }),
  );
  await ramOf(platform).attachPolicyToRole(
    new ram.AttachPolicyToRoleRequest({ roleName, policyType: 'System', policyName: 'AliyunOSSReadOnlyAccess' }),
  );
  const request = new sts.AssumeRoleRequest({ roleArn: `acs:ram::${mine}:role/${roleName}`, roleSessionName: 'guest' });
  const { keys: plain } = await newUser(ramOf(platform, keys));
  await assert.rejects(stsOf(platform, plain).assumeRole(request), failsWith('NoPermission', 403));
  const { keys: allowed } = await newUser(ramOf(platform, keys), { system: ['AliyunSTSAssumeRoleAccess'] });
  const { body } = await stsOf(platform, allowed).assumeRole(request);
  const { accessKeyId = '', accessKeySecret = '', securityToken = '' } = body?.credentials ?? {};
  const guest = ossOf(platform, { accessKeyId, accessKeySecret, securityToken }, bucket);
  assert.equal(String((await guest.get('a.txt')).content), 'shared');
  await assert.rejects(guest.put('b.txt', Buffer.from('x')), { code: 'AccessDenied' });
});

test('only the operator has accounts; roots see their own, others nothing', async () => {
  const { id, keys } = await newAccount();
  const { keys: user } = await newUser(ramOf(platform), { system: ['AdministratorAccess'] });
  for (const who of [keys, user]) {
    assert.equal((await call(who, 'GET', '/accounts')).status, 403);
    assert.equal((await call(who, 'POST', '/accounts', { name: 'x' })).status, 403);
    assert.equal((await call(who, 'POST', `/accounts/${id}/quotas`, { functions: 9 })).status, 403);
    assert.equal((await call(who, 'DELETE', `/accounts/${id}`)).status, 403);
  }
  const mine = await call<AccountAnswer>(keys, 'GET', `/accounts/${id}`);
  assert.deepEqual([mine.status, mine.json.account], [200, id]);
  const all = await call<{ accounts: AccountAnswer[] }>(platform, 'GET', '/accounts');
  assert.ok(all.json.accounts.some((each) => each.account === id));
  const first = all.json.accounts[0]?.account ?? '';
  assert.equal((await call(keys, 'GET', `/accounts/${first}`)).status, 403);
  assert.equal((await call(platform, 'POST', `/accounts/${first}/disable`)).status, 400);
});

test('a disabled account does nothing until it is enabled again', async () => {
  const { id, keys, world } = await newAccount();
  const name = await world.deploy('f', own('ok'));
  await world.client.createTrigger(
    name,
    new models.CreateTriggerRequest({
      body: new models.CreateTriggerInput({
        ...{ triggerName: 'web', triggerType: 'http' },
        triggerConfig: JSON.stringify({ authType: 'anonymous', methods: ['GET'] }),
      }),
    }),
  );
  const trigger = await world.client.getTrigger(name, 'web');
  const url = trigger.body?.httpTrigger?.urlInternet ?? '';
  assert.equal((await fetch(url)).status, 200);
  assert.equal((await call<AccountAnswer>(platform, 'POST', `/accounts/${id}/disable`)).json.status, 'disabled');
  await assert.rejects(world.invoke(name), failsWith('InvalidAccessKeyID', 403));
  await assert.rejects(stsOf(platform, keys).getCallerIdentity(), failsWith('InvalidAccessKeyId.NotFound', 404));
  await assert.rejects(ossOf(platform, keys).listBuckets({}), { code: 'InvalidAccessKeyId' });
  const refused = await fetch(url);
  assert.equal(refused.status, 403);
  await refused.body?.cancel();
  assert.equal((await call(platform, 'DELETE', `/accounts/${id}`)).status, 409);
  await call(platform, 'POST', `/accounts/${id}/enable`);
  assert.equal((await world.invoke(name)).text, 'ok');
  await world.close();
  assert.equal((await call(platform, 'DELETE', `/accounts/${id}`)).status, 200);
  assert.equal((await call(platform, 'GET', `/accounts/${id}`)).status, 404);
});

test('quotas bound one account and no other, by name, and are shown', async () => {
  const { id, keys, world } = await newAccount();
  const set = (quotas: object) => call<AccountAnswer>(platform, 'POST', `/accounts/${id}/quotas`, quotas);
  assert.equal((await set({ functions: 1, objects: 1, objectBytes: 10, codeBytes: 2_000_000 })).status, 200);
  const name = await world.deploy('one', own('1'));
  await assert.rejects(world.deploy('two', own('2')), failsWith('LimitExceededError', 400, /quota functions/));
  await set({ functions: 5, codeBytes: 10 });
  await assert.rejects(world.deploy('two', own('2')), failsWith('LimitExceededError', 400, /quota codeBytes/));
  const bucket = newName('quota').toLowerCase();
  const oss = ossOf(platform, keys);
  await oss.putBucket(bucket);
  oss.useBucket(bucket);
  await assert.rejects(oss.put('big', Buffer.alloc(11)), /quota objectBytes/);
  await oss.put('a', Buffer.alloc(5));
  await assert.rejects(oss.put('b', Buffer.alloc(1)), /quota objects/);
  await set({ memoryMb: 128 });
  await assert.rejects(world.invoke(name), failsWith('ResourceExhausted', 429, /128 MB/));
  await set({ memoryMb: null, instances: 0 });
  await assert.rejects(world.invoke(name), failsWith('ResourceExhausted', 429, /0 instances/));
  await set({ instances: null, calls: 0 });
  await assert.rejects(world.invoke(name), failsWith('ResourceExhausted', 429, /calls in flight/));
  await set({ calls: null });
  assert.equal((await world.invoke(name)).text, '1');
  const { json } = await call<AccountAnswer>(keys, 'GET', `/accounts/${id}`);
  const { functions, objects, objectBytes, instances } = json.usage;
  assert.deepEqual(
    { functions, objects, objectBytes, instances },
    { functions: 1, objects: 1, objectBytes: 5, instances: 1 },
  );
  assert.equal(json.quotas['calls'], 10_000);
  await set({ requestsPerSecond: 1 });
  let throttled: unknown;
  for (let request = 0; request < 40 && throttled === undefined; request++) {
    throttled = await fcOf(platform, keys)
      .listFunctions(new models.ListFunctionsRequest({}))
      .then(
        () => undefined,
        (error: unknown) => error,
      );
  }
  failsWith('ResourceExhausted', 429, /requestsPerSecond/)(throttled);
  await fcOf(platform, platform).listFunctions(new models.ListFunctionsRequest({}));
  await set({ requestsPerSecond: null });
  await world.close();
});
