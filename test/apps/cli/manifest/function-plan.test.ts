import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionPlan } from '../../../../src/apps/cli/manifest/function-plan.ts';

const HOME = { region: 'local', accountId: () => '1234567890123456' };
const PROPS = { functionName: 'f', runtime: 'nodejs24', handler: 'index.handler', code: './src' };
const plan = (props: Record<string, unknown>) => functionPlan({ ...PROPS, ...props }, '/work', HOME);

test('a manifest describes the whole function: what it does not say is taken back', () => {
  const { config } = plan({});
  assert.deepEqual(config['environmentVariables'], {});
  assert.deepEqual(config['layers'], []);
  assert.equal(config['memorySize'], 512);
  assert.equal(config['timeout'], 3);
  assert.deepEqual(config['instanceLifecycleConfig'], { initializer: { handler: '' }, preStop: { handler: '' } });
  assert.equal(config['customRuntimeConfig'], undefined);
});

test('every field goes to the platform, so that it can refuse what it does not have', () => {
  const { config } = plan({ gpuConfig: { gpuType: 'x' }, something: 1, sessionAffinityConfig: { a: 1 } });
  assert.deepEqual(config['gpuConfig'], { gpuType: 'x' });
  assert.equal(config['something'], 1);
  assert.equal(config['sessionAffinityConfig'], '{"a":1}');
  for (const name of ['region', 'functionName', 'code', 'triggers', 'tags']) assert.ok(!(name in config));
});

test('environment variables that YAML reads as numbers or booleans are texts', () => {
  const { config } = plan({ environmentVariables: { PORT: 8080, DEBUG: true, NAME: 'x', LIST: [1] } });
  assert.deepEqual(config['environmentVariables'], { PORT: '8080', DEBUG: 'true', NAME: 'x', LIST: [1] });
});

test('auto means the default of the platform, with a note; so does another region', () => {
  const { config, notes } = plan({
    region: 'cn-hangzhou',
    logConfig: 'auto',
    vpcConfig: 'auto',
    nasConfig: 'auto',
    ossMountConfig: 'auto',
    role: 'auto',
  });
  assert.deepEqual(
    [config['logConfig'], config['vpcConfig'], config['nasConfig'], config['ossMountConfig'], config['role']],
    // the role is made when it is deployed
    [{}, undefined, undefined, undefined, 'auto'],
  );
  assert.equal(notes.length, 5);
  assert.match(notes[0] ?? '', /region 'cn-hangzhou' is deployed to this platform, which is 'local'/);
});

test('names become what the API takes', () => {
  const { config, triggers, tags, extras } = plan({
    role: 'reader',
    runtime: 'custom.debian12',
    customRuntimeConfig: { port: 8080 },
    tags: [
      { key: 'a', value: '1' },
      { Key: 'b', Value: '2' },
    ],
    triggers: [
      {
        triggerName: 't',
        triggerType: 'oss',
        sourceArn: 'videos',
        invocationRole: 'caller',
        triggerConfig: { events: ['oss:ObjectCreated:*'] },
      },
      { triggerName: 'u', triggerType: 'timer', qualifier: 'prod', triggerConfig: '{"cronExpression":"@every 1m"}' },
    ],
    asyncInvokeConfig: {
      qualifier: 'prod',
      maxAsyncRetryAttempts: 1,
      destinationConfig: { onFailure: { destination: 'acs:fc:local::functions/g' } },
    },
    concurrencyConfig: { reservedConcurrency: 3 },
    provisionConfig: { defaultTarget: 1, mode: 'sync' },
    scalingConfig: { minInstances: 1 },
    vpcBinding: { vpcIds: ['v'] },
    customDomain: { domainName: 'd', route: { path: '/x' } },
  });
  assert.equal(config['role'], 'acs:ram::1234567890123456:role/reader');
  assert.deepEqual(config['customRuntimeConfig'], { command: [], args: [], port: 8080 });
  assert.deepEqual(tags, [
    { key: 'a', value: '1' },
    { key: 'b', value: '2' },
  ]);
  assert.equal(triggers[0]?.sourceArn, 'acs:oss:local::videos');
  assert.equal(triggers[0]?.body['invocationRole'], 'acs:ram::1234567890123456:role/caller');
  assert.equal(triggers[0]?.body['triggerConfig'], '{"events":["oss:ObjectCreated:*"]}');
  assert.equal(triggers[1]?.body['qualifier'], 'prod');
  assert.deepEqual(
    extras.map((extra) => extra.kind),
    ['asyncInvokeConfig', 'vpcBinding', 'customDomain', 'provisionConfig', 'concurrencyConfig'],
  );
  assert.equal(extras[0]?.qualifier, 'prod');
  assert.deepEqual(extras[0]?.body['destinationConfig'], {
    onFailure: { destination: 'acs:fc:local:1234567890123456:functions/g' },
  });
  assert.deepEqual(extras[3]?.body, { defaultTarget: 1 });
});

test('code is a folder, an archive, an address or an object', () => {
  assert.deepEqual(plan({}).code, { kind: 'folder', path: '/work/src' });
  assert.deepEqual(plan({ code: 'x.zip' }).code, { kind: 'archive', path: '/work/x.zip' });
  assert.deepEqual(plan({ code: 'https://h/x' }).code, { kind: 'url', url: 'https://h/x' });
  assert.deepEqual(plan({ code: { ossBucketName: 'b', ossObjectName: 'o' } }).code, {
    kind: 'object',
    bucket: 'b',
    key: 'o',
  });
  assert.deepEqual(plan({ code: { src: '.' } }).code, { kind: 'folder', path: '/work' });
});

test('what is missing or of the wrong shape is refused by name', () => {
  assert.throws(() => plan({ functionName: undefined }), /functionName is missing/);
  assert.throws(() => plan({ runtime: '' }), /runtime is missing/);
  assert.throws(() => plan({ triggers: {} }), /triggers must be a list/);
  assert.throws(() => plan({ triggers: [{ triggerType: 'http' }] }), /triggerName is missing/);
  assert.throws(() => plan({ code: { ossBucketName: 'b' } }), /code\.ossObjectName is missing/);
});
