import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorCode } from '../../../src/core/domain/errors.ts';
import { ACCOUNT, functionInput, startWorld } from './memory-world.ts';
import { refused } from './refusal.ts';

type Row = readonly [field: string, value: unknown, code: ErrorCode, message: RegExp];
const big = 'x'.repeat(300);

/** Every field of CreateFunctionInput with what is wrong about a value. */
const wrong: readonly Row[] = [
  ['functionName', '1abc', 'InvalidArgument', /^functionName must start with a letter/],
  ['functionName', 'a/b', 'InvalidArgument', /^functionName must start/],
  ['functionName', 'a'.repeat(129), 'InvalidArgument', /^functionName is 129 characters long, at most 128/],
  ['functionName', undefined, 'InvalidArgument', /^functionName is required but not provided/],
  ['functionName', 7, 'InvalidArgument', /^functionName/],
  ['runtime', undefined, 'InvalidArgument', /^runtime is required/],
  ['runtime', 'nodejs99', 'InvalidArgument', /^runtime 'nodejs99' is unknown/],
  ['runtime', 'java11', 'NotSupported', /runtime 'java11' is not supported/],
  ['runtime', 'custom-container', 'NotSupported', /'custom-container'/],
  ['runtime', 'nodejs22', 'NotSupported', /'nodejs22' on this machine/],
  ['runtime', 'constructor', 'InvalidArgument', /unknown/],
  ['handler', undefined, 'InvalidArgument', /^Handler is required but not provided$/],
  ['handler', '', 'InvalidArgument', /^handler must not be empty/],
  ['handler', 'handler', 'InvalidArgument', /^handler must have the form 'file\.method'/],
  ['handler', '../index.handler', 'InvalidArgument', /^handler must/],
  ['handler', '/index.handler', 'InvalidArgument', /^handler must/],
  ['handler', `${'a'.repeat(128)}.b`, 'InvalidArgument', /^handler is 130 characters long/],
  ['description', big, 'InvalidArgument', /^description is 300 characters long, at most 256/],
  ['description', 5, 'InvalidArgument', /^description must be a string/],
  ['cpu', 0.33, 'InvalidArgument', /^cpu must be a number from 0\.05 to 16/],
  ['cpu', 17, 'InvalidArgument', /^cpu must/],
  ['cpu', 0, 'InvalidArgument', /^cpu must/],
  ['cpu', '1', 'InvalidArgument', /^cpu must/],
  [
    'memorySize',
    100,
    'InvalidArgument',
    /^memorySize must be an integer from 128 to 32768 and a multiple of 64, not 100/,
  ],
  ['memorySize', 32_832, 'InvalidArgument', /^memorySize must/],
  ['memorySize', 200, 'InvalidArgument', /multiple of 64/],
  ['diskSize', 1_024, 'InvalidArgument', /^diskSize must be 512 or 10240/],
  ['timeout', 0, 'InvalidArgument', /^timeout must be an integer from 1 to 86400/],
  ['timeout', 86_401, 'InvalidArgument', /^timeout/],
  ['timeout', 1.5, 'InvalidArgument', /^timeout/],
  ['instanceConcurrency', 201, 'InvalidArgument', /^instanceConcurrency must be an integer from 1 to 200/],
  ['instanceConcurrency', 2, 'InvalidArgument', /^instanceConcurrency above 1 needs a custom runtime/],
  ['environmentVariables', [], 'InvalidArgument', /^environmentVariables must be an object/],
  ['environmentVariables', { '1A': 'x' }, 'InvalidArgument', /names start with a letter/],
  ['environmentVariables', { 'A-B': 'x' }, 'InvalidArgument', /"A-B"/],
  ['environmentVariables', { FC_X: 'x' }, 'InvalidArgument', /'FC_X': names starting 'FC_' are reserved/],
  ['environmentVariables', { A: 1 }, 'InvalidArgument', /^environmentVariables\.A must be a string/],
  ['environmentVariables', { A: 'x'.repeat(4_096) }, 'InvalidArgument', /are 4097 bytes in total, at most 4096/],
  ['layers', 'x', 'InvalidArgument', /^layers must be a list/],
  ['layers', ['a', 'b', 'c', 'd', 'e', 'f'], 'InvalidArgument', /^layers has 6 items, at most 5/],
  ['layers', ['nonsense'], 'InvalidArgument', /not a layer version ARN/],
  ['layers', [`acs:fc:local:${ACCOUNT}:layers/L/versions/1`], 'LayerVersionNotFound', /does not exist/],
  ['layers', ['acs:fc:cn-x:official:layers/Nodejs20/versions/1'], 'NotSupported', /official layer/],
  ['internetAccess', 'yes', 'InvalidArgument', /^internetAccess must be true or false/],
  ['role', 'r'.repeat(301), 'InvalidArgument', /^role is 301/],
  ['logConfig', { project: 'p' }, 'InvalidArgument', /^logConfig needs both/],
  [
    'logConfig',
    { project: 'p', logstore: 'l', enableLlmMetrics: true },
    'NotSupported',
    /'logConfig\.enableLlmMetrics'/,
  ],
  [
    'logConfig',
    { project: 'p', logstore: 'l', logBeginRule: 'x' },
    'InvalidArgument',
    /^logConfig\.logBeginRule must be one of/,
  ],
  ['logConfig', { projekt: 'p' }, 'NotSupported', /'logConfig\.projekt'/],
  ['tracingConfig', { type: 'Jaeger', params: { endpoint: 'x' } }, 'NotSupported', /'tracingConfig'/],
  ['vpcConfig', { vpcId: 'vpc-1' }, 'NotSupported', /'vpcConfig'/],
  ['nasConfig', { mountPoints: [{ serverAddr: 'x' }] }, 'NotSupported', /'nasConfig'/],
  ['ossMountConfig', { mountPoints: [{ bucketName: 'x' }] }, 'NotSupported', /'ossMountConfig'/],
  ['polarFsConfig', { mountPoints: [{}, { a: 'x' }] }, 'NotSupported', /'polarFsConfig'/],
  ['juiceFsConfig', { mountPoints: [{ a: 'x' }] }, 'NotSupported', /'juiceFsConfig'/],
  ['gpuConfig', { gpuType: 'fc.gpu.ada.1', gpuMemorySize: 1024 }, 'NotSupported', /'gpuConfig'/],
  ['customContainerConfig', { image: 'x' }, 'NotSupported', /'customContainerConfig'/],
  ['sessionAffinity', 'MCP_SSE', 'NotSupported', /'sessionAffinity'/],
  ['sessionAffinity', 'GENERATED_COOKIE', 'InvalidArgument', /sessionAffinity needs a custom runtime/],
  ['sessionAffinityConfig', '{"a":1}', 'InvalidArgument', /sessionAffinityConfig needs a sessionAffinity/],
  ['instanceIsolationMode', 'SESSION_EXCLUSIVE', 'InvalidArgument', /'SESSION_EXCLUSIVE' needs a sessionAffinity/],
  ['instanceIsolationMode', 'OTHER', 'InvalidArgument', /^instanceIsolationMode must be one of/],
  ['disableOndemand', 'yes', 'InvalidArgument', /^disableOndemand must be true or false/],
  ['enableLongLiving', true, 'NotSupported', /'enableLongLiving'/],
  ['idleTimeout', 4_000, 'InvalidArgument', /^idleTimeout must be an integer from 1 to 3600/],
  ['idleTimeout', -2, 'InvalidArgument', /^idleTimeout/],
  [
    'disableInjectCredentials',
    'Some',
    'InvalidArgument',
    /^disableInjectCredentials must be one of None, Env, Request, All/,
  ],
  [
    'instanceLifecycleConfig',
    { initializer: { handler: 'x', timeout: 3 } },
    'InvalidArgument',
    /initializer\.handler must have the form/,
  ],
  [
    'instanceLifecycleConfig',
    { initializer: { handler: 'a.b', timeout: 301 } },
    'InvalidArgument',
    /initializer\.timeout must be an integer from 1 to 300/,
  ],
  [
    'instanceLifecycleConfig',
    { preStop: { handler: 'a.b', timeout: 91 } },
    'InvalidArgument',
    /preStop\.timeout must be an integer from 1 to 90/,
  ],
  ['instanceLifecycleConfig', { initializer: { command: ['x'] } }, 'NotSupported', /initializer\.command'/],
  ['instanceLifecycleConfig', { preFreeze: { handler: 'a.b' } }, 'NotSupported', /preFreeze'/],
  ['instanceLifecycleConfig', { other: {} }, 'NotSupported', /'instanceLifecycleConfig\.other'/],
  ['customRuntimeConfig', { command: ['node'] }, 'InvalidArgument', /^customRuntimeConfig needs a custom runtime/],
  ['customRuntimeConfig', { port: 70_000 }, 'InvalidArgument', /^customRuntimeConfig\.port/],
  ['customRuntimeConfig', { command: 'node x' }, 'InvalidArgument', /^customRuntimeConfig\.command must be a list/],
  [
    'customRuntimeConfig',
    { healthCheckConfig: { httpGetUrl: 'x' } },
    'InvalidArgument',
    /httpGetUrl must start with '\/'/,
  ],
  [
    'customRuntimeConfig',
    { healthCheckConfig: { timeoutSeconds: 4 } },
    'InvalidArgument',
    /timeoutSeconds must be an integer from 1 to 3/,
  ],
  [
    'customDNS',
    { nameServers: ['not an address'] },
    'InvalidArgument',
    /^customDNS\.nameServers\[0\] must be an IP address/,
  ],
  ['customDNS', { searches: ['a\nnameserver 6.6.6.6'] }, 'InvalidArgument', /must be a domain name/],
  ['customDNS', { dnsOptions: [{ name: 'a b' }] }, 'InvalidArgument', /dnsOptions\[0\]\.name must/],
  ['tags', { a: 'b' }, 'InvalidArgument', /^tags must be a list/],
  ['tags', [{ Key: '', Value: 'x' }], 'InvalidArgument', /^tags\[0\]\.Key is required/],
  ['tags', [{ Key: 'acs:x', Value: 'x' }], 'InvalidArgument', /must not start with/],
  ['tags', [{ Key: 'a', Value: 'https://x' }], 'InvalidArgument', /must not have/],
  ['tags', Array.from({ length: 21 }, (_, i) => ({ Key: `k${i}`, Value: '' })), 'InvalidArgument', /would be 21/],
  ['code', undefined, 'InvalidArgument', /^code is required/],
  ['code', {}, 'InvalidArgument', /^code is required/],
  ['code', 'zip', 'InvalidArgument', /^code must be a JSON object/],
  ['code', { zipFile: '***' }, 'InvalidArgument', /^code\.zipFile is not valid base64/],
  ['code', { zipFile: 'aGVsbG8=' }, 'InvalidArgument', /not a zip archive/],
  ['code', { zipFile: 'aGVsbG8=', ossBucketName: 'b' }, 'InvalidArgument', /either zipFile or/],
  ['code', { ossBucketName: 'b' }, 'InvalidArgument', /both ossBucketName and ossObjectName/],
  [
    'code',
    { ossBucketName: 'b', ossObjectName: 'k' },
    'InvalidArgument',
    /object 'k' in bucket 'b', which does not exist/,
  ],
  ['code', { zipfile: 'x' }, 'NotSupported', /'code\.zipfile'/],
  ['somethingNew', 1, 'NotSupported', /^the field 'somethingNew' is not supported/],
];

/** Empty values that clients send for settings that are off. */
const neutral: Readonly<Record<string, unknown>> = {
  vpcConfig: { vpcId: '', securityGroupId: '', vSwitchIds: [] },
  tracingConfig: {},
  ossMountConfig: { mountPoints: [] },
  nasConfig: { userId: 10_003, groupId: 0, mountPoints: [] },
  polarFsConfig: {},
  juiceFsConfig: null,
  gpuConfig: { gpuType: '', gpuMemorySize: 0 },
  customContainerConfig: null,
  sessionAffinity: 'NONE',
  sessionAffinityConfig: '',
  instanceIsolationMode: 'SHARE',
  disableOndemand: false,
  enableLongLiving: false,
  idleTimeout: -1,
  logConfig: {
    project: '',
    logstore: '',
    enableRequestMetrics: false,
    enableInstanceMetrics: false,
    logBeginRule: 'None',
  },
  customDNS: { nameServers: [], searches: [], dnsOptions: [] },
  customRuntimeConfig: { command: [], args: [], port: 0 },
  instanceLifecycleConfig: { initializer: { handler: '', timeout: 3, command: [] }, preStop: { handler: '' } },
  environmentVariables: {},
  layers: [],
  tags: [],
  role: '',
  resourceGroupId: '',
};

describe('fields of CreateFunctionInput', () => {
  for (const [field, value, code, message] of wrong) {
    it(`${field}: ${JSON.stringify(value)?.slice(0, 60)} is ${code}`, async () => {
      const { control, world } = await startWorld();
      const input = { ...(await functionInput('f')), [field]: value };
      await refused(control.createFunction(ACCOUNT, input), code, message);
      assert.equal(world.blobs.blobs.size, 0);
      assert.equal(world.store.entries.size, 0);
    });
  }

  it('takes every neutral value for what it is', async () => {
    const { control } = await startWorld();
    const { config } = await control.createFunction(ACCOUNT, await functionInput('f', neutral));
    const bare = await control.createFunction(ACCOUNT, await functionInput('g'));
    assert.deepEqual(config, bare.config);
  });

  it('fills in every default', async () => {
    const { control } = await startWorld();
    const { config } = await control.createFunction(ACCOUNT, await functionInput('f'));
    assert.deepEqual(config, {
      description: '',
      runtime: 'nodejs20',
      handler: 'index.handler',
      cpu: 0.35,
      memorySize: 512,
      diskSize: 512,
      timeout: 3,
      instanceConcurrency: 1,
      environmentVariables: {},
      layers: [],
      internetAccess: true,
      role: '',
      disableInjectCredentials: 'None',
      instanceIsolationMode: 'SHARE',
      disableOndemand: false,
    });
    const custom = await control.createFunction(
      ACCOUNT,
      await functionInput('g', { runtime: 'custom.debian12', handler: 'x' }),
    );
    assert.deepEqual(custom.config.customRuntimeConfig, { command: [], args: [], port: 9_000 });
  });

  it('stores what it is told', async () => {
    const { control } = await startWorld();
    const told = {
      runtime: 'custom.debian12',
      handler: 'anything',
      description: 'd',
      cpu: 1,
      memorySize: 2_048,
      diskSize: 10_240,
      timeout: 60,
      instanceConcurrency: 20,
      environmentVariables: { A_B: 'x', TZ: 'UTC' },
      internetAccess: false,
      role: 'acs:ram::1:role/x',
      idleTimeout: 600,
      disableInjectCredentials: 'Env',
    };
    const { config, record } = await control.createFunction(
      ACCOUNT,
      await functionInput('f', {
        ...told,
        logConfig: { project: 'p', logstore: 'l', enableRequestMetrics: true, logBeginRule: 'DefaultRegex' },
        customRuntimeConfig: {
          command: ['node'],
          args: ['x.js'],
          port: 8_080,
          healthCheckConfig: { httpGetUrl: '/ok' },
        },
        customDNS: {
          nameServers: ['8.8.8.8', '::1'],
          searches: ['a.b'],
          dnsOptions: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
        },
        instanceLifecycleConfig: { initializer: { handler: 'init', timeout: 300 }, preStop: { handler: 'stop' } },
        tags: [{ Key: 'b', Value: '2' }, { Key: 'a' }],
        resourceGroupId: 'rg-1',
      }),
    );
    assert.deepEqual(config, {
      ...told,
      layers: [],
      instanceIsolationMode: 'SHARE',
      disableOndemand: false,
      logConfig: {
        project: 'p',
        logstore: 'l',
        enableRequestMetrics: true,
        enableInstanceMetrics: false,
        logBeginRule: 'DefaultRegex',
      },
      customRuntimeConfig: {
        command: ['node'],
        args: ['x.js'],
        port: 8_080,
        healthCheckConfig: {
          httpGetUrl: '/ok',
          initialDelaySeconds: 0,
          periodSeconds: 3,
          timeoutSeconds: 1,
          failureThreshold: 3,
          successThreshold: 1,
        },
      },
      customDns: {
        nameServers: ['8.8.8.8', '::1'],
        searches: ['a.b'],
        dnsOptions: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
      },
      initializer: { handler: 'init', timeout: 300 },
      preStop: { handler: 'stop', timeout: 3 },
    });
    assert.deepEqual(record.tags, [
      { key: 'a', value: '' },
      { key: 'b', value: '2' },
    ]);
    assert.equal(record.resourceGroupId, 'rg-1');
  });
});
