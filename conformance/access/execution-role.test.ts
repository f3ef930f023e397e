import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith, models, World } from '../fc/world.ts';
import { signed } from '../signing.ts';
import { connect, type Platform } from '../start.ts';
import { type Keys, newName, ossOf, policyOf, ram, type RamClient, ramOf, stsOf, trustOf } from './identity-world.ts';
import { sdkFiles } from './sdk-files.ts';

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

async function newRole(trust: string, documents: readonly string[]): Promise<{ roleName: string; arn: string }> {
  const roleName = newName('worker');
  await root.createRole(new ram.CreateRoleRequest({ roleName, assumeRolePolicyDocument: trust }));
  for (const policyDocument of documents) {
    const policyName = newName('policy');
    await root.createPolicy(new ram.CreatePolicyRequest({ policyName, policyDocument }));
    await root.attachPolicyToRole(new ram.AttachPolicyToRoleRequest({ roleName, policyName, policyType: 'Custom' }));
  }
  return { roleName, arn: `acs:ram::${account}:role/${roleName}` };
}

const TRUSTS_FC = trustOf({ Service: ['fc.aliyuncs.com'] });

/** Tries one thing after the other with the unmodified SDKs, as whoever the function's credentials say; answers what came of each. */
const SOURCE = `
const OSS = require('ali-oss');
const Fc = require('@alicloud/fc20230330');
const Sts = require('@alicloud/sts20150401');
const code = (error) => error.code ?? error.name ?? String(error);
exports.handler = async (event, context) => {
  const { bucket, other, from } = JSON.parse(event);
  const fcHost = new URL(process.env.TIDEMILL_ENDPOINT).host;
  const ossEndpoint = process.env.TIDEMILL_OBJECTS_ENDPOINT;
  const env = { accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
    accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
    securityToken: process.env.ALIBABA_CLOUD_SECURITY_TOKEN };
  const keys = from === 'environment' ? env : context.credentials;
  const { accessKeyId, accessKeySecret, securityToken } = keys;
  const oss = new OSS({ endpoint: ossEndpoint, accessKeyId, accessKeySecret, stsToken: securityToken, bucket, region: 'local', sldEnable: true });
  const config = { accessKeyId, accessKeySecret, securityToken, type: 'sts', endpoint: fcHost, protocol: 'http', regionId: 'local' };
  const fc = new Fc.default(config);
  const sts = new Sts.default(config);
  const tries = {
    who: async () => (await sts.getCallerIdentity()).body.arn,
    getIn: async () => String((await oss.get('in/a.txt')).content),
    getOut: () => oss.get('out/a.txt'),
    putIn: () => oss.put('in/b.txt', Buffer.from('b')),
    list: () => oss.listV2({ prefix: 'in/' }),
    getFunction: () => fc.getFunction(other, new Fc.GetFunctionRequest({})),
    invoke: () => fc.invokeFunction(other, new Fc.InvokeFunctionRequest({})),
    createFunction: () => fc.createFunction(new Fc.CreateFunctionRequest({ body: new Fc.CreateFunctionInput({ functionName: 'x' }) })),
  };
  const answers = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try {
      const answer = await attempt();
      answers[name] = typeof answer === 'string' ? answer : 'allowed';
    } catch (error) {
      answers[name] = code(error);
    }
  }
  return JSON.stringify(answers);
};
`;

async function deployTries(role?: string): Promise<string> {
  return world.deploy(
    'tries',
    { 'index.js': SOURCE, ...sdkFiles() },
    {
      timeout: 60,
      memorySize: 512,
      cpu: 0.5,
      ...(role === undefined ? {} : { role }),
    },
  );
}

async function newBucket(): Promise<string> {
  const bucket = newName('b').toLowerCase();
  const oss = ossOf(platform, platform);
  await oss.putBucket(bucket);
  oss.useBucket(bucket);
  await oss.put('in/a.txt', Buffer.from('hello'));
  await oss.put('out/a.txt', Buffer.from('secret'));
  return bucket;
}

async function tryAll(name: string, bucket: string, other: string, from = 'context'): Promise<Record<string, string>> {
  const answer = await world.invoke(name, JSON.stringify({ bucket, other, from }));
  assert.equal(answer.headers['x-fc-error-type'], undefined, answer.text);
  return JSON.parse(answer.text) as Record<string, string>;
}

test('a function with a role may do what the role allows, and nothing else', { timeout: 120_000 }, async () => {
  const bucket = await newBucket();
  const { arn, roleName } = await newRole(TRUSTS_FC, [
    policyOf('Allow', ['oss:GetObject'], [`acs:oss:*:${account}:${bucket}/in/*`]),
  ]);
  const other = await world.deploy('other', { 'index.js': 'exports.handler = async () => "other";' });
  const name = await deployTries(arn);
  const expected = {
    who: `acs:ram::${account}:assumed-role/${roleName.toLowerCase()}/${name}`,
    getIn: 'hello',
    getOut: 'AccessDenied',
    putIn: 'AccessDenied',
    list: 'AccessDenied',
    getFunction: 'AccessDenied',
    invoke: 'AccessDenied',
    createFunction: 'AccessDenied',
  };
  assert.deepEqual(await tryAll(name, bucket, other), expected);
  assert.deepEqual(await tryAll(name, bucket, other, 'environment'), expected);
});

test('a function without a role invokes and uses objects, and reads no configuration', {
  timeout: 120_000,
}, async () => {
  const bucket = await newBucket();
  const other = await world.deploy('other', { 'index.js': 'exports.handler = async () => "other";' });
  const answers = await tryAll(await deployTries(), bucket, other);
  const { who, ...rest } = answers;
  assert.match(who ?? '', /^acs:fc:/);
  assert.deepEqual(rest, {
    getIn: 'hello',
    getOut: 'allowed',
    putIn: 'allowed',
    list: 'allowed',
    getFunction: 'AccessDenied',
    invoke: 'allowed',
    createFunction: 'AccessDenied',
  });
});

test('custom runtimes get the credentials of the role in headers', { timeout: 120_000 }, async () => {
  const { arn, roleName } = await newRole(TRUSTS_FC, []);
  const server = `
const { createServer } = require('node:http');
createServer((req, res) => {
  const { 'x-fc-access-key-id': accessKeyId, 'x-fc-access-key-secret': accessKeySecret, 'x-fc-security-token': securityToken } = req.headers;
  res.end(JSON.stringify({ accessKeyId, accessKeySecret, securityToken }));
}).listen(9000, '0.0.0.0');
`;
  const bootstrap = { data: '#!/bin/sh\nexec node /code/server.js\n', mode: 0o100755 };
  const name = await world.deploy(
    'custom',
    { 'server.js': server, bootstrap },
    { runtime: 'custom.debian12', role: arn },
  );
  const keys = JSON.parse((await world.invoke(name)).text) as Keys;
  const who = await stsOf(platform, keys).getCallerIdentity();
  assert.equal(who.body?.arn, `acs:ram::${account}:assumed-role/${roleName.toLowerCase()}/${name}`);
  // Revoked, the next call has others.
  const path = `/tidemill/v1/roles/${roleName}/revoke-sessions`;
  const { url, headers } = signed(platform, { method: 'POST', path });
  const revoked = await fetch(url, { method: 'POST', headers });
  assert.equal(revoked.status, 200);
  await assert.rejects(stsOf(platform, keys).getCallerIdentity(), failsWith('InvalidAccessKeyId.NotFound', 404));
  const fresh = JSON.parse((await world.invoke(name)).text) as Keys;
  assert.notEqual(fresh.accessKeyId, keys.accessKeyId);
  assert.equal((await stsOf(platform, fresh).getCallerIdentity()).body?.arn, who.body?.arn);
});

test('a role is passed only where it exists, trusts functions, and the deployer may pass it', async () => {
  const { arn: trusting, roleName } = await newRole(TRUSTS_FC, []);
  const { arn: others } = await newRole(trustOf({ RAM: [`acs:ram::${account}:root`] }), []);
  await assert.rejects(deployTries(others), failsWith('AccessDenied', 403, /trust/));
  await assert.rejects(deployTries(`${trusting}x`), failsWith('InvalidArgument', 400, /does not exist/));
  const name = await world.deploy('f', { 'index.js': 'exports.handler = async () => "ok";' }, { role: trusting });
  assert.equal((await world.invoke(name)).text, 'ok');
  // The role goes away: from then on the function does not run.
  await root.deleteRole(new ram.DeleteRoleRequest({ roleName }));
  await assert.rejects(world.invoke(name), failsWith('AccessDenied', 403, /role/));
  const body = new models.UpdateFunctionInput({ role: '' });
  await world.client.updateFunction(name, new models.UpdateFunctionRequest({ body }));
  assert.equal((await world.invoke(name)).text, 'ok');
});
