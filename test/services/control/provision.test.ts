import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCOUNT, functionInput, startWorld } from './memory-world.ts';
import { refused } from './refusal.ts';

async function start(more: Record<string, unknown> = {}) {
  const started = await startWorld();
  await started.control.createFunction(ACCOUNT, { ...(await functionInput('f')), ...more });
  await started.control.publishVersion(ACCOUNT, 'f', {});
  await started.control.createAlias(ACCOUNT, 'f', { aliasName: 'prod', versionId: '1' });
  return started;
}

const METRICS = { logConfig: { enableInstanceMetrics: true } };
const TRACKING = { name: 't', metricType: 'CPUUtilization', metricTarget: 0.6, minCapacity: 1, maxCapacity: 4 };

describe('provision configs', () => {
  it('are put, replaced, read, listed and deleted per qualifier', async () => {
    const { control, reservedConfigs } = await start();
    assert.equal(await control.getProvisionConfig(ACCOUNT, 'f', 'prod'), undefined);
    const put = await control.putProvisionConfig(ACCOUNT, 'f', 'prod', { target: 3, alwaysAllocateCPU: true });
    assert.equal(put.functionArn, `acs:fc:local:${ACCOUNT}:functions/f/prod`);
    assert.deepEqual([put.record.defaultTarget, put.record.alwaysAllocateCPU], [3, true]);
    await control.putProvisionConfig(ACCOUNT, 'f', undefined, { defaultTarget: 1, target: 9 });
    const { items } = await control.listProvisionConfigs(ACCOUNT, 'f', {});
    assert.deepEqual(
      items.map(({ record }) => [record.qualifier, record.defaultTarget]),
      [
        ['LATEST', 1],
        ['prod', 3],
      ],
    );
    const page = await control.listProvisionConfigs(ACCOUNT, undefined, { limit: 1 });
    assert.equal(page.items.length, 1);
    const rest = await control.listProvisionConfigs(ACCOUNT, undefined, { limit: 1, nextToken: page.nextToken });
    assert.deepEqual([rest.items[0]?.record.qualifier, rest.nextToken], ['prod', undefined]);
    assert.deepEqual(await reservedConfigs.owners(), [{ account: ACCOUNT, functionName: 'f' }]);
    await control.deleteProvisionConfig(ACCOUNT, 'f', 'prod');
    await control.deleteProvisionConfig(ACCOUNT, 'f', 'prod');
    assert.deepEqual(
      (await reservedConfigs.of(ACCOUNT, 'f')).map(({ qualifier }) => qualifier),
      ['LATEST'],
    );
  });

  it('belong to LATEST and aliases', async () => {
    const { control } = await start();
    const put = (qualifier: string, name = 'f') =>
      control.putProvisionConfig(ACCOUNT, name, qualifier, { defaultTarget: 1 });
    await refused(put('1'), 'InvalidArgument', /^qualifier must be LATEST or an alias/);
    await refused(put('2'), 'VersionNotFound', /'2'/);
    await refused(put('nope'), 'AliasNotFound', /'nope'/);
    await refused(put('LATEST', 'g'), 'FunctionNotFound', /'g'/);
  });

  it('and scaling configs exclude one another, and keep function and alias from being deleted', async () => {
    const { control } = await start();
    await control.putProvisionConfig(ACCOUNT, 'f', 'prod', { defaultTarget: 1 });
    const scaling = () => control.putScalingConfig(ACCOUNT, 'f', 'prod', { minInstances: 1 });
    await refused(scaling(), 'ProvisionConfigExist', /'prod'/);
    assert.equal(await control.getScalingConfig(ACCOUNT, 'f', 'prod'), undefined);
    await control.deleteScalingConfig(ACCOUNT, 'f', 'prod');
    await refused(control.deleteFunction(ACCOUNT, 'f'), 'ProvisionConfigExist', /'prod'/);
    await refused(control.deleteAlias(ACCOUNT, 'f', 'prod'), 'ProvisionConfigExist', /'prod'/);
    await control.deleteProvisionConfig(ACCOUNT, 'f', 'prod');
    await scaling();
    await refused(control.deleteFunction(ACCOUNT, 'f'), 'ResidentScalingConfigExists', /'prod'/);
    const back = control.putProvisionConfig(ACCOUNT, 'f', 'prod', { defaultTarget: 1 });
    await refused(back, 'ResidentScalingConfigExists', /'prod'/);
  });

  it('that ask for nothing go with their function, and a new function of that name has none', async () => {
    const { control, reservedConfigs } = await start();
    await control.putProvisionConfig(ACCOUNT, 'f', undefined, { target: 0 });
    await control.deleteFunction(ACCOUNT, 'f');
    await control.createFunction(ACCOUNT, await functionInput('f'));
    assert.equal(await control.getProvisionConfig(ACCOUNT, 'f', undefined), undefined);
    assert.deepEqual(await reservedConfigs.owners(), []);
  });

  it('are announced like other changes of a function', async () => {
    const { control, catalog } = await start();
    const changes: string[] = [];
    const subscription = catalog.onFunction(({ name }) => changes.push(name));
    await control.putProvisionConfig(ACCOUNT, 'f', undefined, { defaultTarget: 1 });
    await control.deleteProvisionConfig(ACCOUNT, 'f', undefined);
    subscription.dispose();
    assert.deepEqual(changes, ['f', 'f']);
  });

  it('keep the age of a schedule that is put again unchanged', async () => {
    const { control, world } = await start();
    const action = { name: 'up', scheduleExpression: 'cron(0 0 8 * * *)', target: 5, timeZone: 'Asia/Shanghai' };
    const put = (target: number) =>
      control.putProvisionConfig(ACCOUNT, 'f', undefined, { scheduledActions: [{ ...action, target }] });
    const first = (await put(5)).record.scheduled[0]?.since;
    world.clock.wall += 1_000;
    assert.equal((await put(5)).record.scheduled[0]?.since, first);
    assert.notEqual((await put(6)).record.scheduled[0]?.since, first);
  });
});

describe('target tracking', () => {
  it('needs instance metrics', async () => {
    const plain = await start();
    const input = { targetTrackingPolicies: [TRACKING] };
    await refused(plain.control.putProvisionConfig(ACCOUNT, 'f', undefined, input), 'InstanceMetricsRequired', /'f'/);
    const { control } = await start(METRICS);
    const { record } = await control.putProvisionConfig(ACCOUNT, 'f', undefined, input);
    assert.deepEqual([record.tracking[0]?.min, record.tracking[0]?.max], [1, 4]);
    await control.deleteProvisionConfig(ACCOUNT, 'f', undefined);
    const { minCapacity: _min, maxCapacity: _max, ...rest } = TRACKING;
    const scaled = await control.putScalingConfig(ACCOUNT, 'f', undefined, {
      horizontalScalingPolicies: [{ ...rest, minInstances: 2, maxInstances: 3 }],
    });
    assert.deepEqual([scaled.record.tracking[0]?.min, scaled.record.tracking[0]?.max], [2, 3]);
  });
});

describe('wrong configs are refused by field', () => {
  const action = { name: 'a', scheduleExpression: 'cron(0 0 8 * * *)', target: 1 };
  const provision: [Record<string, unknown>, 'InvalidArgument' | 'NotSupported', RegExp][] = [
    [{ defaultTarget: 10_001 }, 'InvalidArgument', /^defaultTarget must be an integer from 0 to 10000/],
    [{ defaultTarget: '1' }, 'InvalidArgument', /^defaultTarget/],
    [{ current: 1 }, 'NotSupported', /'current'/],
    [{ alwaysAllocateGPU: true }, 'NotSupported', /'alwaysAllocateGPU'/],
    [{ scheduledActions: {} }, 'InvalidArgument', /^scheduledActions must be a list/],
    [{ scheduledActions: [{ ...action, name: '' }] }, 'InvalidArgument', /^scheduledActions\[0\]\.name is required/],
    [{ scheduledActions: [action, action] }, 'InvalidArgument', /two policies named 'a'/],
    [{ scheduledActions: [{ ...action, target: undefined }] }, 'InvalidArgument', /\[0\]\.target is required/],
    [
      { scheduledActions: [{ ...action, scheduleExpression: 'rate(1)' }] },
      'InvalidArgument',
      /scheduleExpression must be cron/,
    ],
    [{ scheduledActions: [{ ...action, timeZone: 'Mars/Olympus' }] }, 'InvalidArgument', /timeZone is not a time zone/],
    [{ scheduledActions: [{ ...action, startTime: 'soon' }] }, 'InvalidArgument', /startTime must be a time/],
    [
      { scheduledActions: [{ ...action, startTime: '2030-01-02T00:00:00', endTime: '2030-01-01T00:00:00' }] },
      'InvalidArgument',
      /endTime must be later than startTime/,
    ],
    [{ scheduledActions: [{ ...action, typo: 1 }] }, 'NotSupported', /scheduledActions\[0\]\.typo/],
    [{ targetTrackingPolicies: [{ ...TRACKING, metricType: 'Luck' }] }, 'InvalidArgument', /metricType must be one of/],
    [{ targetTrackingPolicies: [{ ...TRACKING, metricType: 'GPUSmUtil' }] }, 'NotSupported', /GPUSmUtil/],
    [
      { targetTrackingPolicies: [{ ...TRACKING, metricTarget: 0 }] },
      'InvalidArgument',
      /metricTarget must be a number above 0/,
    ],
    [
      { targetTrackingPolicies: [{ ...TRACKING, minCapacity: 0 }] },
      'InvalidArgument',
      /minCapacity must be an integer from 1/,
    ],
    [{ targetTrackingPolicies: [{ ...TRACKING, minCapacity: 5 }] }, 'InvalidArgument', /maxCapacity must not be below/],
  ];
  for (const [input, code, message] of provision) {
    it(`provision ${JSON.stringify(input)}`, async () => {
      const { control } = await start(METRICS);
      await refused(control.putProvisionConfig(ACCOUNT, 'f', undefined, input), code, message);
      assert.equal(await control.getProvisionConfig(ACCOUNT, 'f', undefined), undefined);
    });
  }
  const scaling: [Record<string, unknown>, RegExp][] = [
    [{ residentPoolId: 'p' }, /'residentPoolId'/],
    [{ enableMixMode: true }, /'enableMixMode'/],
    [{ requestDispatchPolicy: 'Random' }, /requestDispatchPolicy/],
  ];
  for (const [input, message] of scaling) {
    it(`scaling ${JSON.stringify(input)}`, async () => {
      const { control } = await start();
      await refused(control.putScalingConfig(ACCOUNT, 'f', undefined, input), 'NotSupported', message);
    });
  }
});
