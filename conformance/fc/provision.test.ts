import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith, models, World, zipCode } from './world.ts';

let world: World;
before(async () => {
  world = await World.open();
});
after(() => world.close());

/** Says which code runs, and whether this is the instance's first call. */
function program(answer: string): Record<string, string> {
  return {
    'index.js': `let calls = 0;
exports.handler = async () => JSON.stringify({ answer: '${answer}', first: calls++ === 0 });
`,
  };
}

type ProvisionInput = ConstructorParameters<typeof models.PutProvisionConfigInput>[0];

async function put(name: string, input: ProvisionInput, qualifier?: string): Promise<models.ProvisionConfig> {
  const request = new models.PutProvisionConfigRequest({ body: new models.PutProvisionConfigInput(input) });
  if (qualifier !== undefined) request.qualifier = qualifier;
  const { body } = await world.client.putProvisionConfig(name, request);
  assert.ok(body);
  return body;
}

async function get(name: string, qualifier?: string): Promise<models.ProvisionConfig> {
  const request = new models.GetProvisionConfigRequest(qualifier === undefined ? {} : { qualifier });
  const { body } = await world.client.getProvisionConfig(name, request);
  assert.ok(body);
  return body;
}

/** Polls as the vendor's tools do, until `done`; the test's timeout is the deadline. */
async function until<T>(read: () => Promise<T>, done: (value: T) => boolean, signal: AbortSignal): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const value = await read();
    if (done(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function settled(config: models.ProvisionConfig): boolean {
  return config.current === config.target;
}

async function coldOf(name: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
  const requestId = headers['x-fc-request-id'];
  const fact = await world.waitFor(name, (each) => each.type === 'invocation-settled' && each.requestId === requestId);
  return (fact['timings'] as { cold: boolean }).cold;
}

async function instances(name: string): Promise<models.InstanceInfo[]> {
  return (await world.client.listInstances(name, new models.ListInstancesRequest({}))).body?.instances ?? [];
}

async function reservedOf(name: string): Promise<models.InstanceInfo[]> {
  return (await instances(name)).filter(({ resourceType }) => resourceType === 'Provision');
}

async function drop(name: string, qualifier?: string): Promise<void> {
  const request = new models.DeleteProvisionConfigRequest(qualifier === undefined ? {} : { qualifier });
  await world.client.deleteProvisionConfig(name, request);
}

test('the target is reached, calls are warm, an update meets no cold call, and deleting releases', {
  timeout: 120_000,
}, async (t) => {
  const name = await world.deploy('provision', program('one'));
  const answer = await put(name, { defaultTarget: 2, alwaysAllocateCPU: true });
  assert.deepEqual([answer.defaultTarget, answer.target, answer.alwaysAllocateCPU], [2, 2, true]);
  assert.match(answer.functionArn ?? '', new RegExp(`functions/${name}/LATEST$`));
  const ready = await until(() => get(name), settled, t.signal);
  assert.deepEqual([ready.current, ready.currentError], [2, '']);
  const kept = await instances(name);
  assert.deepEqual(
    kept.map(({ resourceType, status }) => [resourceType, status]),
    [
      ['Provision', 'Running'],
      ['Provision', 'Running'],
    ],
  );
  const first = await world.invoke(name);
  assert.equal(await coldOf(name, first.headers), false);
  assert.ok(kept.some(({ instanceId }) => instanceId === first.headers['x-fc-instance-id']));

  // Calls go on while the code is replaced.
  const seen: { answer: string; cold: boolean }[] = [];
  const stop = new AbortController();
  const calling = (async () => {
    while (!stop.signal.aborted) {
      const { text, headers } = await world.invoke(name);
      seen.push({ answer: JSON.parse(text).answer, cold: await coldOf(name, headers) });
    }
  })();
  await world.client.updateFunction(
    name,
    new models.UpdateFunctionRequest({ body: new models.UpdateFunctionInput({ code: await zipCode(program('two')) }) }),
  );
  await until(
    async () => seen.at(-1)?.answer,
    (last) => last === 'two',
    t.signal,
  );
  const rolled = await until(
    // Where calls come the platform may keep one more, of its own accord.
    async () => (await reservedOf(name)).map(({ instanceId }) => instanceId),
    (ids) => ids.length === 2 && !kept.some(({ instanceId }) => ids.includes(instanceId)),
    t.signal,
  );
  stop.abort();
  await calling;
  assert.deepEqual(new Set(seen.map(({ cold }) => cold)), new Set([false]), 'no cold call');
  const order = seen.map(({ answer: which }) => which);
  assert.ok(!order.slice(order.indexOf('two')).includes('one'), 'once live, the new code stays');
  assert.equal(rolled.length, 2);

  await assert.rejects(world.client.deleteFunction(name), failsWith('ProvisionConfigExist', 409));
  await drop(name);
  assert.equal((await get(name)).target, 0);
  await until(
    () => reservedOf(name),
    (left) => left.length === 0,
    t.signal,
  );
});

test('a schedule in the near future changes the target', { timeout: 60_000 }, async (t) => {
  const name = await world.deploy('provision-at', program('x'));
  const at = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 3_000);
  const config = await put(name, {
    defaultTarget: 1,
    scheduledActions: [
      { name: 'up', scheduleExpression: `at(${at.toISOString().slice(0, 19)})`, target: 2, timeZone: '' },
    ],
  });
  assert.equal(config.target, 1);
  await until(
    () => get(name),
    (now) => now.current === 1,
    t.signal,
  );
  const after = await until(
    () => get(name),
    (now) => now.target === 2,
    t.signal,
  );
  assert.ok(Date.now() >= at.getTime() - 50);
  assert.equal(after.defaultTarget, 1);
  assert.equal(after.scheduledActions?.[0]?.name, 'up');
  await until(
    () => get(name),
    (now) => now.current === 2,
    t.signal,
  );
  // Lowered: the surplus goes at once.
  await put(name, { target: 1 });
  await until(
    () => get(name),
    (now) => now.target === 1 && now.current === 1,
    t.signal,
  );
  await until(
    () => instances(name),
    (left) => left.length === 1,
    t.signal,
  );
  await drop(name);
});

test('an alias shares its target over its versions, and its roll-out meets no cold call', {
  timeout: 120_000,
}, async (t) => {
  const name = await world.deploy('provision-alias', program('v1'));
  const publish = async (): Promise<string> =>
    (
      await world.client.publishFunctionVersion(
        name,
        new models.PublishFunctionVersionRequest({ body: new models.PublishVersionInput({}) }),
      )
    ).body?.versionId ?? '';
  const v1 = await publish();
  await world.client.updateFunction(
    name,
    new models.UpdateFunctionRequest({ body: new models.UpdateFunctionInput({ code: await zipCode(program('v2')) }) }),
  );
  const v2 = await publish();
  await world.client.createAlias(
    name,
    new models.CreateAliasRequest({ body: new models.CreateAliasInput({ aliasName: 'prod', versionId: v1 }) }),
  );
  await assert.rejects(put(name, { defaultTarget: 1 }, v1), failsWith('InvalidArgument', 400, /alias/));
  await assert.rejects(put(name, { defaultTarget: 1 }, 'nope'), failsWith('AliasNotFound', 404));
  await put(name, { defaultTarget: 3 }, 'prod');
  await until(() => get(name, 'prod'), settled, t.signal);
  const count = async (versionId: string): Promise<number> =>
    (await instances(name)).filter((each) => each.versionId === versionId && each.resourceType === 'Provision').length;
  assert.equal(await count(v1), 3);
  const alias = (input: ConstructorParameters<typeof models.UpdateAliasInput>[0]) =>
    world.client.updateAlias(name, 'prod', new models.UpdateAliasRequest({ body: new models.UpdateAliasInput(input) }));
  await alias({ versionId: v1, additionalVersionWeight: { [v2]: 0.34 } });
  await until(
    async () => [await count(v1), await count(v2)],
    ([a, b]) => a === 2 && b === 1,
    t.signal,
  );
  await alias({ versionId: v2, additionalVersionWeight: {} });
  const during = await world.invoke(name, '', { qualifier: 'prod' });
  assert.equal(await coldOf(name, during.headers), false);
  await until(
    async () => [await count(v1), await count(v2)],
    ([a, b]) => a === 0 && b === 3,
    t.signal,
  );
  const now = await world.invoke(name, '', { qualifier: 'prod' });
  assert.equal(JSON.parse(now.text).answer, 'v2');
  assert.equal(await coldOf(name, now.headers), false);
  await assert.rejects(world.client.deleteAlias(name, 'prod'), failsWith('ProvisionConfigExist', 409, /prod/));
  const listed = await world.client.listProvisionConfigs(
    new models.ListProvisionConfigsRequest({ functionName: name }),
  );
  assert.equal(listed.body?.provisionConfigs?.length, 1);
  await drop(name, 'prod');
});

test('a scaling config is the other dialect of the same; without on-demand instances only these serve', {
  timeout: 60_000,
}, async (t) => {
  const name = await world.deploy('scaling', {
    'index.js': 'exports.handler = () => new Promise((done) => setTimeout(done, 1500, "ok"));\n',
  });
  const body = new models.PutScalingConfigInput({
    minInstances: 1,
    enableOnDemandScaling: false,
    requestDispatchPolicy: 'Balanced',
  });
  const answer = await world.client.putScalingConfig(name, new models.PutScalingConfigRequest({ body }));
  assert.deepEqual([answer.body?.minInstances, answer.body?.targetInstances], [1, 1]);
  const read = async () => (await world.client.getScalingConfig(name, new models.GetScalingConfigRequest({}))).body;
  const ready = await until(read, (now) => now?.currentInstances === 1, t.signal);
  assert.equal(ready?.enableOnDemandScaling, false);
  assert.equal(ready?.requestDispatchPolicy, 'Balanced');
  const running = world.invoke(name);
  await until(
    () =>
      world.invoke(name).then(
        () => undefined,
        (error: { code: string }) => error.code,
      ),
    (code) => code === 'ResourceExhausted',
    t.signal,
  );
  assert.equal((await running).text, 'ok');
  await assert.rejects(put(name, { defaultTarget: 1 }), failsWith('ResidentScalingConfigExists', 409));
  await assert.rejects(world.client.deleteFunction(name), failsWith('ResidentScalingConfigExists', 409));
  await world.client.deleteScalingConfig(name, new models.DeleteScalingConfigRequest({}));
  assert.equal((await world.invoke(name)).text, 'ok');
});

test('what keeps the target from being reached is said', { timeout: 60_000 }, async (t) => {
  const name = await world.deploy('provision-broken', { 'index.js': 'throw new Error("no way to load this");\n' });
  await put(name, { defaultTarget: 1 });
  const config = await until(
    () => get(name),
    (now) => now.currentError !== '',
    t.signal,
  );
  assert.equal(config.current, 0);
  assert.match(config.currentError ?? '', /no way to load this|load/);
  await drop(name);
});

test('what is not honoured is refused by name', async () => {
  const name = await world.deploy('provision-refused', program('x'));
  const policy = { name: 'p', metricType: 'CPUUtilization', metricTarget: 0.5, minCapacity: 1, maxCapacity: 2 };
  const tracking = (more: object) => put(name, { targetTrackingPolicies: [{ ...policy, ...more }] });
  await assert.rejects(tracking({}), failsWith('InstanceMetricsRequired', 400));
  await assert.rejects(tracking({ metricType: 'GPUMemUtilization' }), failsWith('NotSupported', 400, /GPU/));
  await assert.rejects(tracking({ metricTarget: 2 }), failsWith('InvalidArgument', 400, /metricTarget/));
  await assert.rejects(put(name, { alwaysAllocateGPU: true }), failsWith('NotSupported', 400, /alwaysAllocateGPU/));
  await assert.rejects(put(name, { defaultTarget: -1 }), failsWith('InvalidArgument', 400, /defaultTarget/));
  const scaling = (input: ConstructorParameters<typeof models.PutScalingConfigInput>[0]) =>
    world.client.putScalingConfig(
      name,
      new models.PutScalingConfigRequest({ body: new models.PutScalingConfigInput(input) }),
    );
  await assert.rejects(scaling({ residentPoolId: 'fc-pool-1' }), failsWith('NotSupported', 400, /residentPoolId/));
  await assert.rejects(
    scaling({ requestDispatchPolicy: 'Odd' }),
    failsWith('NotSupported', 400, /requestDispatchPolicy/),
  );
  await assert.rejects(scaling({ enableMixMode: true }), failsWith('NotSupported', 400, /enableMixMode/));
});
