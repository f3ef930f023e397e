import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ECHO, failsWith, models, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

test('async invoke config: put, get, list, delete', async () => {
  const name = await world.deploy('async-config', ECHO);
  const { client } = world;
  await assert.rejects(
    client.getAsyncInvokeConfig(name, new models.GetAsyncInvokeConfigRequest({})),
    failsWith('AsyncConfigNotExists', 404),
  );
  const body = new models.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 1, maxAsyncEventAgeInSeconds: 600 });
  const put = await client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  assert.deepEqual([put.body?.maxAsyncRetryAttempts, put.body?.maxAsyncEventAgeInSeconds], [1, 600]);
  const got = await client.getAsyncInvokeConfig(name, new models.GetAsyncInvokeConfigRequest({}));
  assert.match(got.body?.functionArn ?? '', new RegExp(`functions/${name}`));
  const list = await client.listAsyncInvokeConfigs(new models.ListAsyncInvokeConfigsRequest({ functionName: name }));
  assert.equal(list.body?.configs?.length, 1);
  await client.deleteAsyncInvokeConfig(name, new models.DeleteAsyncInvokeConfigRequest({}));
  await assert.rejects(
    client.getAsyncInvokeConfig(name, new models.GetAsyncInvokeConfigRequest({})),
    failsWith('AsyncConfigNotExists', 404),
  );
  const tooMany = new models.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 9 });
  await assert.rejects(
    client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body: tooMany })),
    failsWith('InvalidArgument', 400, /maxAsyncRetryAttempts/),
  );
});

test('async retries follow the config', async () => {
  const code = {
    'index.js': 'exports.handler = async (e, c) => { console.log("run " + c.retryCount); throw new Error("again"); };',
  };
  const name = await world.deploy('async-retries', code);
  const body = new models.PutAsyncInvokeConfigInput({ maxAsyncRetryAttempts: 1 });
  await world.client.putAsyncInvokeConfig(name, new models.PutAsyncInvokeConfigRequest({ body }));
  await world.invoke(name, 'x', { headers: { 'x-fc-invocation-type': 'Async' } });
  const runs: string[] = [];
  await world.waitFor(name, (fact) => {
    const run = fact.type === 'output-written' ? /run (\d+)/.exec(fact.text ?? '')?.[1] : undefined;
    if (run !== undefined) runs.push(run);
    return fact.type === 'event-ended';
  });
  assert.deepEqual(runs, ['0', '1']);
});

test('concurrency config, and reservedConcurrency 0', async () => {
  const name = await world.deploy('concurrency', ECHO);
  const { client } = world;
  const put = (reservedConcurrency: number) =>
    client.putConcurrencyConfig(
      name,
      new models.PutConcurrencyConfigRequest({ body: new models.PutConcurrencyInput({ reservedConcurrency }) }),
    );
  await assert.rejects(client.getConcurrencyConfig(name), failsWith('OnDemandConfigNotFound', 404));
  assert.equal((await put(3)).body?.reservedConcurrency, 3);
  assert.equal((await client.getConcurrencyConfig(name)).body?.reservedConcurrency, 3);
  const list = await client.listConcurrencyConfigs(new models.ListConcurrencyConfigsRequest({ functionName: name }));
  assert.equal(list.body?.configs?.length, 1);
  assert.equal((await world.invoke(name, 'x')).text, 'x');
  await put(0);
  await assert.rejects(world.invoke(name, 'x'), failsWith('ResourceExhausted', 429));
  await client.deleteConcurrencyConfig(name);
  await assert.rejects(client.getConcurrencyConfig(name), failsWith('OnDemandConfigNotFound', 404));
  assert.equal((await world.invoke(name, 'x')).text, 'x');
});

test('tags', async () => {
  const name = await world.deploy('tags', ECHO);
  const { client } = world;
  const arn = (await client.getFunction(name, new models.GetFunctionRequest({}))).body?.functionArn ?? '';
  const tag = (key: string, value: string) => new models.Tag({ key, value });
  for (const resourceType of ['function', 'FUNCTION', 'ALIYUN::FC::FUNCTION']) {
    const body = new models.TagResourcesInput({
      resourceId: [arn],
      resourceType,
      tag: [tag('stage', resourceType), tag('empty', '')],
    });
    await client.tagResources(new models.TagResourcesRequest({ body }));
  }
  const listed = await client.listTagResources(
    new models.ListTagResourcesRequest({ resourceType: 'function', resourceId: [arn] }),
  );
  const rows = listed.body?.tagResources?.map((row) => [row.resourceId, row.tagKey, row.tagValue]).sort();
  assert.deepEqual(rows, [
    [arn, 'empty', ''],
    [arn, 'stage', 'ALIYUN::FC::FUNCTION'],
  ]);
  const found = await client.listFunctions(
    new models.ListFunctionsRequest({ prefix: name, tags: [tag('stage', 'ALIYUN::FC::FUNCTION')] }),
  );
  assert.equal(found.body?.functions?.length, 1);
  await client.untagResources(
    new models.UntagResourcesRequest({ resourceType: 'function', resourceId: [arn], tagKey: ['empty'] }),
  );
  const left = await client.getFunction(name, new models.GetFunctionRequest({}));
  assert.deepEqual(
    left.body?.tags?.map((each) => each.key),
    ['stage'],
  );
  await client.untagResources(
    new models.UntagResourcesRequest({ resourceType: 'function', resourceId: [arn], all: true }),
  );
  assert.deepEqual((await client.getFunction(name, new models.GetFunctionRequest({}))).body?.tags ?? [], []);
  const forbidden = new models.TagResourcesInput({
    resourceId: [arn],
    resourceType: 'function',
    tag: [tag('acs:own', 'x')],
  });
  await assert.rejects(
    client.tagResources(new models.TagResourcesRequest({ body: forbidden })),
    failsWith('InvalidArgument', 400),
  );
});
