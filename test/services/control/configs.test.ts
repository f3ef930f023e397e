import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCOUNT, functionInput, startWorld } from './memory-world.ts';
import { refused } from './refusal.ts';

async function start() {
  const started = await startWorld();
  await started.control.createFunction(ACCOUNT, await functionInput('f'));
  await started.control.publishVersion(ACCOUNT, 'f', {});
  await started.control.createAlias(ACCOUNT, 'f', { aliasName: 'prod', versionId: '1' });
  return started;
}

describe('async invoke configs', () => {
  it('are put, read, listed and deleted per qualifier', async () => {
    const { control, catalog, world } = await start();
    await refused(
      control.getAsyncConfig(ACCOUNT, 'f', undefined),
      'AsyncConfigNotExists',
      /'f' and qualifier 'LATEST' does not exist/,
    );
    const put = await control.putAsyncConfig(ACCOUNT, 'f', undefined, {
      maxAsyncRetryAttempts: 0,
      asyncTask: false,
      destinationConfig: { onSuccess: { destination: '' } },
    });
    assert.equal(put.functionArn, `acs:fc:local:${ACCOUNT}:functions/f/LATEST`);
    assert.equal(put.record.maxAsyncRetryAttempts, 0);
    assert.equal(put.record.maxAsyncEventAgeInSeconds, 86_400);
    assert.deepEqual(await catalog.asyncConfig(ACCOUNT, 'f', 'LATEST'), put.record);
    world.clock.wall += 5_000;
    const again = await control.putAsyncConfig(ACCOUNT, 'f', 'LATEST', { maxAsyncEventAgeInSeconds: 60 });
    assert.equal(again.record.maxAsyncRetryAttempts, 3);
    assert.equal(again.record.createdTime, put.record.createdTime);
    assert.equal(again.record.lastModifiedTime, put.record.createdTime + 5_000);
    await control.putAsyncConfig(ACCOUNT, 'f', 'prod', {});
    await control.putAsyncConfig(ACCOUNT, 'f', '1', {});
    const listed = await control.listAsyncConfigs(ACCOUNT, 'f', {});
    assert.deepEqual(
      listed.items.map((item) => item.record.qualifier),
      ['1', 'LATEST', 'prod'],
    );
    assert.equal((await control.listAsyncConfigs(ACCOUNT, undefined, { limit: 2 })).items.length, 2);
    await control.deleteAlias(ACCOUNT, 'f', 'prod');
    assert.equal((await control.listAsyncConfigs(ACCOUNT, undefined, {})).items.length, 2);
    await control.deleteAsyncConfig(ACCOUNT, 'f', '1');
    await refused(control.deleteAsyncConfig(ACCOUNT, 'f', '1'), 'AsyncConfigNotExists', /'1'/);
    await refused(control.putAsyncConfig(ACCOUNT, 'f', 'nope', {}), 'AliasNotFound', /'nope'/);
    await refused(control.putAsyncConfig(ACCOUNT, 'f', '7', {}), 'VersionNotFound', /'7'/);
    await refused(control.listAsyncConfigs(ACCOUNT, 'g', {}), 'FunctionNotFound', /'g'/);
  });

  it('keep tasks and destinations of every kind', async () => {
    const { control, catalog } = await start();
    for (const destination of [
      'acs:fc:local::functions/g',
      `acs:fc:local:${ACCOUNT}:functions/g/prod`,
      `acs:fc:local:${ACCOUNT}/functions/g`,
      `acs:oss:local:${ACCOUNT}:results/in/`,
      'acs:oss:local::results',
      'https://a.example/hook?x=1',
      'http://10.0.0.1:8080/',
    ]) {
      const input = { asyncTask: true, destinationConfig: { onSuccess: { destination }, onFailure: {} } };
      const { record } = await control.putAsyncConfig(ACCOUNT, 'f', undefined, input);
      assert.deepEqual([record.asyncTask, record.onSuccess, record.onFailure], [true, destination, undefined]);
      assert.deepEqual(await catalog.asyncConfig(ACCOUNT, 'f', 'LATEST'), record);
    }
  });

  for (const [input, code, message] of [
    [{ maxAsyncRetryAttempts: 9 }, 'InvalidArgument', /^maxAsyncRetryAttempts must be an integer from 0 to 8/],
    [
      { maxAsyncEventAgeInSeconds: 0 },
      'InvalidArgument',
      /^maxAsyncEventAgeInSeconds must be an integer from 1 to 604800/,
    ],
    [{ asyncTask: 'yes' }, 'InvalidArgument', /^asyncTask must be true or false/],
    [
      { destinationConfig: { onFailure: { destination: 'acs:mns:local:1:/topics/t/messages' } } },
      'NotSupported',
      /'acs:mns:local:1:\/topics\/t\/messages' \(destinationConfig.onFailure.destination, service 'mns'\)/,
    ],
    [
      { destinationConfig: { onSuccess: { destination: 'nowhere' } } },
      'InvalidArgument',
      /^destinationConfig.onSuccess.destination is no destination: "nowhere"/,
    ],
    [{ destinationConfig: { onSuccess: { destination: 'https://u:p@a.example/' } } }, 'InvalidArgument', /is no dest/],
    [{ destinationConfig: { onSuccess: { destination: 'ftp://a.example/' } } }, 'InvalidArgument', /is no dest/],
    [
      { destinationConfig: { onSuccess: { destination: 'acs:fc:local:99:functions/g' } } },
      'InvalidArgument',
      /belongs to another account/,
    ],
    [
      { destinationConfig: { onSuccess: { destination: `https://a.example/${'x'.repeat(512)}` } } },
      'InvalidArgument',
      /512/,
    ],
    [{ destinationConfig: { onSuccess: { topic: 'x' } } }, 'NotSupported', /'destinationConfig.onSuccess.topic'/],
    [{ destinationConfig: { onBoth: {} } }, 'NotSupported', /'destinationConfig.onBoth'/],
    [{ other: 1 }, 'NotSupported', /'other'/],
  ] as const) {
    it(`${JSON.stringify(input)} is ${code}`, async () => {
      const { control } = await start();
      await refused(control.putAsyncConfig(ACCOUNT, 'f', undefined, input), code, message);
    });
  }
});

describe('concurrency configs', () => {
  it('are put, read, listed and deleted', async () => {
    const { control, catalog } = await start();
    await refused(control.getConcurrencyConfig(ACCOUNT, 'f'), 'OnDemandConfigNotFound', /'f' does not exist/);
    await refused(control.deleteConcurrencyConfig(ACCOUNT, 'f'), 'OnDemandConfigNotFound', /'f'/);
    const put = await control.putConcurrencyConfig(ACCOUNT, 'f', { reservedConcurrency: 0 });
    assert.deepEqual(put, {
      functionArn: `acs:fc:local:${ACCOUNT}:functions/f`,
      functionName: 'f',
      reservedConcurrency: 0,
    });
    assert.equal((await catalog.function(ACCOUNT, 'f'))?.reservedConcurrency, 0);
    await control.createFunction(ACCOUNT, await functionInput('g'));
    await control.putConcurrencyConfig(ACCOUNT, 'g', { reservedConcurrency: 200 });
    await refused(
      control.putConcurrencyConfig(ACCOUNT, 'f', { reservedConcurrency: 71 }),
      'LimitExceededError',
      /other functions reserve 200 of the 270/,
    );
    await control.putConcurrencyConfig(ACCOUNT, 'f', { reservedConcurrency: 70 });
    const listed = await control.listConcurrencyConfigs(ACCOUNT, undefined, {});
    assert.deepEqual(
      listed.items.map((item) => [item.functionName, item.reservedConcurrency]),
      [
        ['f', 70],
        ['g', 200],
      ],
    );
    assert.equal((await control.listConcurrencyConfigs(ACCOUNT, 'g', {})).items.length, 1);
    await control.deleteConcurrencyConfig(ACCOUNT, 'f');
    await control.deleteFunction(ACCOUNT, 'g');
    assert.deepEqual(await control.listConcurrencyConfigs(ACCOUNT, undefined, {}), { items: [] });
  });

  for (const value of [undefined, -1, 271, 1.5, '5']) {
    it(`reservedConcurrency ${JSON.stringify(value)} is refused`, async () => {
      const { control } = await start();
      await refused(
        control.putConcurrencyConfig(ACCOUNT, 'f', { reservedConcurrency: value }),
        'InvalidArgument',
        /^reservedConcurrency/,
      );
    });
  }
});
