import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith, World } from '../fc/world.ts';
import { Installation } from '../restart/installation.ts';
import type { Platform } from '../start.ts';
import { newName, newUser, ram, ramOf, sts, stsOf, trustOf } from './identity-world.ts';

let installation: Installation;
let platform: Platform;
before(async () => {
  installation = await Installation.create();
  await installation.start();
  platform = installation.platform;
});
after(() => installation.close());

test('users, keys, roles and what they gave are there after a restart; what was revoked stays revoked', {
  timeout: 120_000,
}, async () => {
  const root = ramOf(platform);
  const { userName, keys } = await newUser(root, { system: ['AliyunSTSAssumeRoleAccess', 'AliyunRAMReadOnlyAccess'] });
  const account = (await stsOf(platform).getCallerIdentity()).body?.accountId ?? '';
  const roleName = newName('role');
  await root.createRole(
    new ram.CreateRoleRequest({
      roleName,
      assumeRolePolicyDocument: trustOf({ RAM: [`acs:ram::${account}:root`], Service: ['fc.aliyuncs.com'] }),
    }),
  );
  const { body } = await stsOf(platform, keys).assumeRole(
    new sts.AssumeRoleRequest({ roleArn: `acs:ram::${account}:role/${roleName}`, roleSessionName: 'before' }),
  );
  const { accessKeyId = '', accessKeySecret = '', securityToken = '' } = body?.credentials ?? {};
  const session = { accessKeyId, accessKeySecret, securityToken };
  const { userName: other, keys: disabled } = await newUser(root);
  await root.updateAccessKey(
    new ram.UpdateAccessKeyRequest({
      userName: other,
      userAccessKeyId: disabled.accessKeyId,
      status: 'Inactive',
    }),
  );
  const world = await World.open({ ...platform, close: async () => {} });
  const name = await world.deploy(
    'f',
    { 'index.js': 'exports.handler = async (event, context) => context.credentials.accessKeyId;' },
    { role: `acs:ram::${account}:role/${roleName}` },
  );
  assert.match((await world.invoke(name)).text, /STS\./);

  await installation.end('SIGTERM');
  await installation.start();
  platform = installation.platform;
  const again = ramOf(platform);
  assert.equal((await stsOf(platform, keys).getCallerIdentity()).body?.arn, `acs:ram::${account}:user/${userName}`);
  const who = await stsOf(platform, session).getCallerIdentity();
  assert.equal(who.body?.arn, `acs:ram::${account}:assumed-role/${roleName}/before`);
  await assert.rejects(stsOf(platform, disabled).getCallerIdentity(), failsWith('InvalidAccessKeyId.NotFound', 404));
  const used = await again.getAccessKeyLastUsed(
    new ram.GetAccessKeyLastUsedRequest({ userName, userAccessKeyId: keys.accessKeyId }),
  );
  assert.ok(Date.parse(used.body?.accessKeyLastUsed?.lastUsedDate ?? '') > Date.now() - 120_000);
  const revived = await World.open({ ...platform, close: async () => {} });
  assert.match((await revived.invoke(name)).text, /STS\./);

  // Killed, nothing that was answered is lost: the role is gone for good.
  await again.deleteRole(new ram.DeleteRoleRequest({ roleName }));
  const before = installation.kill('server');
  await installation.successor('server', before);
  await assert.rejects(stsOf(platform, session).getCallerIdentity(), failsWith('InvalidAccessKeyId.NotFound', 404));
  await assert.rejects(revived.invoke(name), failsWith('AccessDenied', 403));
});
