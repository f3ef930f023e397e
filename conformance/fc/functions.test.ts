import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import OSS from 'ali-oss';
import { ECHO, failsWith, models, World, zip, zipCode } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

const update = (name: string, input: ConstructorParameters<typeof models.UpdateFunctionInput>[0]) =>
  world.client.updateFunction(name, new models.UpdateFunctionRequest({ body: new models.UpdateFunctionInput(input) }));
const get = async (name: string, qualifier?: string) => {
  const query = new models.GetFunctionRequest(qualifier === undefined ? {} : { qualifier });
  const { body } = await world.client.getFunction(name, query);
  assert.ok(body);
  return body;
};

test('create, get, list, delete', async () => {
  const name = await world.deploy('crud', ECHO, {
    description: 'about',
    environmentVariables: { KEY: 'value' },
    tags: [new models.Tag({ key: 'team', value: 'blue' })],
  });
  const created = await get(name);
  assert.equal(created.functionName, name);
  assert.match(created.functionArn ?? '', new RegExp(`^acs:fc:[^:]+:\\d{16}:functions/${name}$`));
  assert.match(created.functionId ?? '', /^[0-9a-f-]{36}$/);
  assert.match(created.createdTime ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual([created.state, created.lastUpdateStatus], ['Active', 'Successful']);
  assert.deepEqual([created.diskSize, created.instanceConcurrency, created.internetAccess], [512, 1, true]);
  assert.deepEqual([created.tags?.[0]?.key, created.tags?.[0]?.value], ['team', 'blue']);
  const duplicate = new models.CreateFunctionInput({
    functionName: name,
    runtime: 'nodejs20',
    handler: 'index.handler',
    code: await zipCode(ECHO),
  });
  await assert.rejects(
    world.client.createFunction(new models.CreateFunctionRequest({ body: duplicate })),
    failsWith('FunctionAlreadyExists', 409),
  );
  const listed = await world.client.listFunctions(new models.ListFunctionsRequest({ prefix: name }));
  assert.deepEqual(
    listed.body?.functions?.map((each) => each.functionName),
    [name],
  );
  assert.equal(listed.body?.nextToken, undefined);
  await world.client.deleteFunction(name);
  await assert.rejects(get(name), failsWith('FunctionNotFound', 404, new RegExp(`function '${name}' does not exist`)));
  await assert.rejects(world.client.deleteFunction(name), failsWith('FunctionNotFound', 404));
});

test('lists are paged to their end', async () => {
  const base = world.name('page');
  const names = [0, 1, 2].map((i) => `${base}-${i}`);
  for (const functionName of names) {
    const input = { functionName, runtime: 'nodejs20', handler: 'index.handler', code: await zipCode(ECHO) };
    await world.client.createFunction(
      new models.CreateFunctionRequest({ body: new models.CreateFunctionInput(input) }),
    );
  }
  const seen: (string | undefined)[] = [];
  let nextToken: string | undefined;
  do {
    const query = new models.ListFunctionsRequest({
      prefix: base,
      limit: 2,
      ...(nextToken === undefined ? {} : { nextToken }),
    });
    const { body } = await world.client.listFunctions(query);
    seen.push(...(body?.functions ?? []).map((each) => each.functionName));
    nextToken = body?.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual(seen, names);
  for (const name of names) await world.client.deleteFunction(name);
});

test('updates are partial, empties clear, the next call sees them', async () => {
  const code = { 'index.js': 'exports.handler = async () => process.env.KEY ?? "unset";' };
  const name = await world.deploy('update', code, { environmentVariables: { KEY: 'one' }, description: 'first' });
  assert.equal((await world.invoke(name)).text, 'one');
  await update(name, { description: 'second' });
  const described = await get(name);
  assert.deepEqual(
    [described.description, described.environmentVariables, described.timeout],
    ['second', { KEY: 'one' }, 20],
  );
  await update(name, { environmentVariables: { KEY: 'two' } });
  assert.equal((await world.invoke(name)).text, 'two');
  await update(name, { environmentVariables: {} });
  assert.equal((await world.invoke(name)).text, 'unset');
  await update(name, { code: await zipCode({ 'index.js': 'exports.handler = async () => "new code";' }) });
  assert.equal((await world.invoke(name)).text, 'new code');
  assert.equal((await get(name)).description, 'second');
  await assert.rejects(update(`${name}-no`, { timeout: 5 }), failsWith('FunctionNotFound', 404));
});

test('GetFunctionCode gives the exact bytes back', async () => {
  const bytes = await zip({ ...ECHO, 'data.bin': Buffer.from([0, 1, 2, 255]) });
  const name = world.name('code');
  const code = new models.InputCodeLocation({ zipFile: bytes.toString('base64') });
  const input = { functionName: name, runtime: 'nodejs20', handler: 'index.handler', code };
  await world.client.createFunction(new models.CreateFunctionRequest({ body: new models.CreateFunctionInput(input) }));
  const { body } = await world.client.getFunctionCode(name, new models.GetFunctionCodeRequest({}));
  const shown = await get(name);
  assert.equal(body?.checksum, shown.codeChecksum);
  assert.equal(shown.codeSize, bytes.length);
  const downloaded = Buffer.from(await (await fetch(body?.url ?? '')).arrayBuffer());
  const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
  assert.equal(digest(downloaded), digest(bytes));
});

test('code from a bucket', async () => {
  const { platform } = world;
  const bucket = `code-${process.pid}-${Date.now().toString(36)}`;
  const oss = new OSS({
    endpoint: platform.objectsEndpoint,
    accessKeyId: platform.accessKeyId,
    accessKeySecret: platform.accessKeySecret,
    bucket,
    secure: false,
  });
  await oss.putBucket(bucket);
  await oss.put('packages/echo.zip', await zip({ 'index.js': 'exports.handler = async () => "from a bucket";' }));
  const name = world.name('bucket');
  const code = new models.InputCodeLocation({ ossBucketName: bucket, ossObjectName: 'packages/echo.zip' });
  const input = { functionName: name, runtime: 'nodejs20', handler: 'index.handler', code };
  await world.client.createFunction(new models.CreateFunctionRequest({ body: new models.CreateFunctionInput(input) }));
  assert.equal((await world.invoke(name)).text, 'from a bucket');
  await oss.delete('packages/echo.zip');
  assert.equal((await world.invoke(name)).text, 'from a bucket');
  await oss.deleteBucket(bucket);
});

test('switching invocation off and on', async () => {
  const name = await world.deploy('switch', ECHO);
  const off = await world.client.disableFunctionInvocation(
    name,
    new models.DisableFunctionInvocationRequest({ reason: 'maintenance', abortOngoingRequest: false }),
  );
  assert.equal(off.body?.success, true);
  await assert.rejects(world.invoke(name, 'x'), failsWith('AccessDenied', 403));
  assert.equal((await get(name)).invocationRestriction?.reason, 'maintenance');
  await world.client.enableFunctionInvocation(name);
  assert.equal((await world.invoke(name, 'x')).text, 'x');
});

test('switching off can end the calls that run', async () => {
  const code = {
    'index.js':
      'exports.handler = async () => { console.log("waiting"); await new Promise((r) => setTimeout(r, 60000)); };',
  };
  const name = await world.deploy('abort', code, { timeout: 60 });
  const running = world.invoke(name, 'x');
  await world.waitForOutput(name, /waiting/);
  await world.client.disableFunctionInvocation(
    name,
    new models.DisableFunctionInvocationRequest({ reason: 'maintenance', abortOngoingRequest: true }),
  );
  const answer = await running;
  assert.equal(answer.headers['x-fc-error-type'], 'UnhandledInvocationError');
  assert.match(answer.text, /exited unexpectedly/);
});

test('what clients poll, and instances', async () => {
  const name = await world.deploy('poll', ECHO);
  const provision = await world.client.getProvisionConfig(name, new models.GetProvisionConfigRequest({}));
  assert.deepEqual([provision.body?.target, provision.body?.current], [0, 0]);
  const scaling = await world.client.getScalingConfig(name, new models.GetScalingConfigRequest({}));
  assert.equal(scaling.body?.minInstances, 0);
  assert.ok((await world.client.describeRegions(new models.DescribeRegionsRequest({}))).body?.regions?.region?.length);
  assert.deepEqual((await world.client.listVpcBindings(name)).body?.vpcIds, []);
  const { headers } = await world.invoke(name, 'x');
  const { body } = await world.client.listInstances(name, new models.ListInstancesRequest({}));
  const instance = body?.instances?.find((each) => each.instanceId === headers['x-fc-instance-id']);
  assert.deepEqual([instance?.status, instance?.versionId], ['Running', '0']);
});
