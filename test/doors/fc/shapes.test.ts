import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TaskRecord } from '../../../src/core/domain/async-task.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { TriggerRecord } from '../../../src/core/domain/trigger.ts';
import type { AsyncTasks } from '../../../src/core/ports/async-tasks.ts';
import type { Input } from '../../../src/core/ports/control.ts';
import { ACCOUNT } from '../door-world.ts';
import { FcModels, type FcWorld, fcWorld, layerOf, viewOf } from './fc-world.ts';

let world: FcWorld;
const seen: Record<string, unknown> = {};
const TIMES = { createdTime: Date.UTC(2026, 0, 2, 3, 4, 5), lastModifiedTime: Date.UTC(2026, 0, 2, 3, 4, 6) };

const T0 = Date.UTC(2026, 0, 2);

const TRIGGER: TriggerRecord = {
  account: ACCOUNT,
  functionName: 'f',
  triggerName: 't',
  triggerId: 'id',
  qualifier: 'LATEST',
  description: '',
  sourceArn: '',
  invocationRole: '',
  config: { type: 'http', authType: 'anonymous', methods: ['GET'], disableUrlInternet: false, domainPrefix: 't-abc' },
  rawConfig: '{"authType":"anonymous", "methods":["GET"]}',
  ...TIMES,
};

before(async () => {
  world = await fcWorld({
    control: {
      createFunction: async (account, input) => {
        Object.assign(seen, { account, input });
        return viewOf();
      },
      getFunction: async (_account, name, qualifier) => {
        if (name !== 'f') throw new TidemillError('FunctionNotFound', `function '${name}' does not exist`);
        return viewOf(
          qualifier === undefined ? {} : { functionArn: `acs:fc:local:${ACCOUNT}:functions/f/${qualifier}` },
        );
      },
      listFunctions: async (_account, query) =>
        query.nextToken === undefined ? { items: [viewOf()], nextToken: 'g' } : { items: [] },
      publishVersion: async (account, functionName, input: Input) => ({
        account,
        functionName,
        versionId: '1',
        description: String(input['description']),
        config: viewOf().config,
        code: viewOf().code,
        ...TIMES,
      }),
      getLayerVersionByArn: async (_account, arn) => {
        seen['arn'] = arn;
        return layerOf(3);
      },
      listLayerVersions: async () => ({ items: [layerOf(2), layerOf(1)] }),
      createTrigger: async () => TRIGGER,
      getProvisionConfig: async (_account, name) => {
        if (name !== 'f') throw new TidemillError('FunctionNotFound', `function '${name}' does not exist`);
        return undefined;
      },
      getScalingConfig: async () => undefined,
      getConcurrencyConfig: async () => {
        throw new TidemillError('OnDemandConfigNotFound', 'no config');
      },
      tagResources: async (_account, request) => void Object.assign(seen, { tags: request }),
      untagResources: async (_account, request) => void Object.assign(seen, { untag: request }),
      listTagResources: async () => ({
        items: [{ resourceId: 'arn', resourceType: 'ALIYUN::FC::FUNCTION', tag: { key: 'k', value: 'v' } }],
      }),
      deleteFunction: async () => {},
    },
    scheduling: {
      instances: () => [
        {
          instanceId: 'c-1',
          versionKey: 'k',
          account: ACCOUNT,
          functionName: 'f',
          versionId: 'LATEST',
          state: 'ready',
          inFlight: 0,
          createdAt: 1000,
          memoryMb: 3,
        },
      ],
    },
  });
});
after(() => world.close());

test('CreateFunction hands the body on unread and answers with the model of the SDK', async () => {
  const { body } = await world.client.createFunction(
    new FcModels.CreateFunctionRequest({
      body: new FcModels.CreateFunctionInput({
        functionName: 'f',
        runtime: 'nodejs20',
        handler: 'index.handler',
        code: new FcModels.InputCodeLocation({ zipFile: 'UEsDBA==' }),
        environmentVariables: { A: '1' },
      }),
    }),
  );
  assert.equal(seen['account'], ACCOUNT);
  assert.deepEqual(seen['input'], {
    functionName: 'f',
    runtime: 'nodejs20',
    handler: 'index.handler',
    code: { zipFile: 'UEsDBA==' },
    environmentVariables: { A: '1' },
  });
  assert.ok(body);
  assert.equal(body.functionArn, `acs:fc:local:${ACCOUNT}:functions/f`);
  assert.equal(body.createdTime, '2026-01-02T03:04:05Z');
  assert.equal(body.codeSize, 321);
  assert.equal(body.codeChecksum, '11051210869376104954');
  assert.deepEqual(
    body.layers?.map(({ arn, size }) => [arn, size]),
    [['acs:fc:local:1:layers/L/versions/1', 5]],
  );
  assert.deepEqual(
    body.tags?.map(({ key, value }) => [key, value]),
    [['team', 'a']],
  );
  assert.deepEqual([body.state, body.lastUpdateStatus], ['Active', 'Successful']);
});

test('lists leave out the state, and nextToken on the last page', async () => {
  const first = await world.client.listFunctions(new FcModels.ListFunctionsRequest({ limit: 1 }));
  assert.equal(first.body?.nextToken, 'g');
  assert.equal(first.body?.functions?.[0]?.state, undefined);
  const last = await world.client.listFunctions(new FcModels.ListFunctionsRequest({ nextToken: 'g' }));
  assert.equal(last.body?.nextToken, undefined);
});

test('layers: ARN as one encoded segment, acl a string, createTime, nextVersion absent', async () => {
  const { body } = await world.client.getLayerVersionByArn(layerOf(3).arn);
  assert.equal(seen['arn'], layerOf(3).arn);
  assert.deepEqual([body?.acl, body?.version, body?.createTime], ['0', 3, '2026-01-02T03:04:05Z']);
  assert.match(body?.code?.location ?? '', /^http:\/\/127\.0\.0\.1:\d+\/tidemill\/code\/1234567890123456\/cdcd/);
  const list = await world.client.listLayerVersions('L', new FcModels.ListLayerVersionsRequest({}));
  assert.deepEqual([list.body?.layers?.length, list.body?.nextVersion], [2, undefined]);
});

test('triggers give back the caller’s own config text and the URLs', async () => {
  const { body } = await world.client.createTrigger(
    'f',
    new FcModels.CreateTriggerRequest({
      body: new FcModels.CreateTriggerInput({ triggerName: 't', triggerType: 'http', triggerConfig: '{}' }),
    }),
  );
  assert.equal(body?.triggerConfig, TRIGGER.rawConfig);
  assert.equal(body?.httpTrigger?.urlInternet, `${world.server.url}/~t-abc`);
  assert.equal(body?.targetArn, `acs:fc:local:${ACCOUNT}:functions/f`);
});

test('tags travel in PascalCase, lists as JSON text in the query', async () => {
  await world.client.tagResources(
    new FcModels.TagResourcesRequest({
      body: new FcModels.TagResourcesInput({
        resourceId: ['arn'],
        resourceType: 'function',
        tag: [new FcModels.Tag({ key: 'k', value: 'v' })],
      }),
    }),
  );
  assert.deepEqual(seen['tags'], { resourceType: 'function', resourceIds: ['arn'], tags: [{ Key: 'k', Value: 'v' }] });
  await world.client.untagResources(
    new FcModels.UntagResourcesRequest({ resourceId: ['arn'], resourceType: 'function', tagKey: ['k'], all: false }),
  );
  assert.deepEqual(seen['untag'], { resourceType: 'function', resourceIds: ['arn'], tagKeys: ['k'], all: false });
  const { body } = await world.client.listTagResources(
    new FcModels.ListTagResourcesRequest({ resourceId: ['arn'], resourceType: 'function' }),
  );
  const row = body?.tagResources?.[0];
  assert.deepEqual(
    [row?.resourceId, row?.resourceType, row?.tagKey, row?.tagValue],
    ['arn', 'ALIYUN::FC::FUNCTION', 'k', 'v'],
  );
});

test('what clients poll answers zeros, and 404 for unknown functions', async () => {
  const provision = await world.client.getProvisionConfig('f', new FcModels.GetProvisionConfigRequest({}));
  assert.deepEqual([provision.body?.target, provision.body?.current, provision.body?.functionArn], [0, 0, '']);
  const scaling = await world.client.getScalingConfig('f', new FcModels.GetScalingConfigRequest({}));
  assert.deepEqual([scaling.body?.minInstances, scaling.body?.currentInstances], [0, 0]);
  await assert.rejects(world.client.getProvisionConfig('nope', new FcModels.GetProvisionConfigRequest({})), {
    code: 'FunctionNotFound',
  });
  await assert.rejects(world.client.getConcurrencyConfig('f'), { code: 'OnDemandConfigNotFound', statusCode: 404 });
  assert.deepEqual((await world.client.listVpcBindings('f')).body?.vpcIds, []);
  const regions = await world.client.describeRegions(new FcModels.DescribeRegionsRequest({}));
  assert.equal(regions.body?.regions?.region?.[0]?.regionId, 'local');
});

test('ListInstances shows what runs, filtered', async () => {
  const all = await world.client.listInstances('f', new FcModels.ListInstancesRequest({}));
  assert.equal(all.body?.instances?.[0]?.instanceId, 'c-1');
  assert.equal(all.body?.instances?.[0]?.versionId, '0');
  const none = await world.client.listInstances(
    'f',
    new FcModels.ListInstancesRequest({ instanceStatus: ['Creating'] }),
  );
  assert.deepEqual(none.body?.instances, []);
});

test('versions and deletion', async () => {
  const published = await world.client.publishFunctionVersion(
    'f',
    new FcModels.PublishFunctionVersionRequest({ body: new FcModels.PublishVersionInput({ description: 'one' }) }),
  );
  assert.deepEqual([published.body?.versionId, published.body?.description], ['1', 'one']);
  assert.equal((await world.client.deleteFunction('f')).statusCode, 204);
});

test('operations that are not there yet are refused by their own name', async () => {
  const refused: readonly [string, Promise<unknown>][] = [
    [
      'CreateCustomDomain',
      world.client.createCustomDomain(
        new FcModels.CreateCustomDomainRequest({ body: new FcModels.CreateCustomDomainInput({ domainName: 'a.b' }) }),
      ),
    ],
    ['PauseSession', world.client.pauseSession('f', 's', new FcModels.PauseSessionRequest({}))],
    [
      'ChangeResourceGroup',
      world.client.changeResourceGroup(
        new FcModels.ChangeResourceGroupRequest({ body: new FcModels.ChangeResourceGroupInput({ resourceId: 'r' }) }),
      ),
    ],
    [
      'CreateVpcBinding',
      world.client.createVpcBinding(
        'f',
        new FcModels.CreateVpcBindingRequest({ body: new FcModels.CreateVpcBindingInput({ vpcId: 'v' }) }),
      ),
    ],
  ];
  for (const [name, call] of refused) {
    await assert.rejects(call, (error: { code?: string; message: string }) => {
      assert.equal(error.code, 'NotSupported', error.message);
      assert.match(error.message, new RegExp(`The operation ${name} is not supported`));
      return true;
    });
  }
});

test('async tasks: times as numbers, payloads as text, what is not known yet left out', async () => {
  const steps = [{ status: 'Enqueued', at: T0, detail: '' }] as const;
  const waiting: TaskRecord = {
    ...{ account: ACCOUNT, functionName: 'f', qualifier: 'prod', taskId: 't', requestId: 'r' },
    ...{ status: 'Enqueued', startedAt: T0, endedAt: undefined, retries: 0, instanceId: '', durationMs: 0 },
    ...{ message: '', destinationStatus: '', steps },
  };
  const ended: TaskRecord = { ...waiting, status: 'Failed', endedAt: T0 + 9, retries: 2, instanceId: 'c-1' };
  const bytes = (text: string) => new TextEncoder().encode(text);
  const seen: unknown[] = [];
  const tasks: Partial<AsyncTasks> = {
    get: async (...call) => {
      seen.push(call);
      const task = { ...ended, durationMs: 7, message: 'no', destinationStatus: 'Succeeded' };
      return { task, payload: bytes('in'), result: bytes('out') };
    },
    list: async (_account, _name, query) => {
      seen.push(query);
      return { items: [{ task: waiting }], nextToken: 'next' };
    },
    stop: async (...call) => void seen.push(call),
  };
  const own = await fcWorld({ tasks });
  try {
    const { body } = await own.client.getAsyncTask('f', 't', new FcModels.GetAsyncTaskRequest({ qualifier: 'prod' }));
    assert.deepEqual(JSON.parse(JSON.stringify(body)), {
      taskId: 't',
      requestId: 'r',
      functionArn: `acs:fc:local:${ACCOUNT}:functions/f`,
      qualifier: 'prod',
      status: 'Failed',
      startedTime: T0,
      endTime: T0 + 9,
      durationMs: 7,
      alreadyRetriedTimes: 2,
      instanceId: 'c-1',
      taskErrorMessage: 'no',
      destinationStatus: 'Succeeded',
      taskPayload: 'in',
      returnPayload: 'out',
      events: [{ eventId: 1, status: 'Enqueued', timestamp: T0, eventDetail: '' }],
    });
    const query = { includePayload: true, limit: 3, prefix: 'a', sortOrderByTime: 'asc', startedTimeBegin: 5 };
    const listed = await own.client.listAsyncTasks('f', new FcModels.ListAsyncTasksRequest(query));
    const [task] = listed.body?.tasks ?? [];
    assert.deepEqual(
      [listed.body?.nextToken, task?.status, task?.endTime, task?.instanceId],
      ['next', 'Enqueued', undefined, undefined],
    );
    const stopped = await own.client.stopAsyncTask('f', 't', new FcModels.StopAsyncTaskRequest({}));
    assert.equal(stopped.statusCode, 204);
    assert.deepEqual(JSON.parse(JSON.stringify(seen)), [
      [ACCOUNT, 'f', 'prod', 't'],
      { includePayload: 'true', limit: '3', prefix: 'a', sortOrderByTime: 'asc', startedTimeBegin: '5' },
      [ACCOUNT, 'f', null, 't'],
    ]);
  } finally {
    await own.close();
  }
});
