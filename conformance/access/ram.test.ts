import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { failsWith } from '../fc/world.ts';
import { connect, type Platform } from '../start.ts';
import {
  newKey,
  newName,
  newUser,
  policyOf,
  ram,
  type RamClient,
  ramOf,
  sts,
  stsOf,
  trustOf,
} from './identity-world.ts';

let platform: Platform;
let root: RamClient;
before(async () => {
  platform = await connect();
  root = ramOf(platform);
});
after(() => platform.close());

const ANYTHING = policyOf('Allow', ['oss:GetObject'], ['*']);

async function accountId(): Promise<string> {
  return (await stsOf(platform).getCallerIdentity()).body?.accountId ?? '';
}

test('users: create, get, update, list in pages, delete', async () => {
  const names = [newName('ann'), newName('ann'), newName('ann')].sort();
  for (const userName of names) {
    const created = await root.createUser(new ram.CreateUserRequest({ userName, displayName: 'Ann', comments: 'c' }));
    assert.match(created.body?.user?.userId ?? '', /^\d{18}$/);
    assert.match(created.body?.user?.createDate ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  }
  const [userName = ''] = names;
  await assert.rejects(
    root.createUser(new ram.CreateUserRequest({ userName })),
    failsWith('EntityAlreadyExists.User', 409),
  );
  await root.updateUser(new ram.UpdateUserRequest({ userName, newDisplayName: 'Bea' }));
  const { body } = await root.getUser(new ram.GetUserRequest({ userName }));
  assert.equal(body?.user?.displayName, 'Bea');
  assert.equal(body?.user?.comments, 'c');
  const listed: string[] = [];
  let marker: string | undefined;
  do {
    const page = await root.listUsers(new ram.ListUsersRequest({ maxItems: 2, ...(marker ? { marker } : {}) }));
    listed.push(...(page.body?.users?.user ?? []).map((user) => user.userName ?? ''));
    marker = page.body?.isTruncated === true ? page.body.marker : undefined;
  } while (marker !== undefined);
  for (const name of names) assert.ok(listed.includes(name));
  assert.deepEqual(listed, [...new Set(listed)]);
  for (const name of names) await root.deleteUser(new ram.DeleteUserRequest({ userName: name }));
  await assert.rejects(root.getUser(new ram.GetUserRequest({ userName })), failsWith('EntityNotExist.User', 404));
  await assert.rejects(
    root.createUser(new ram.CreateUserRequest({ userName: 'a b' })),
    failsWith('InvalidParameter', 400, /UserName/),
  );
});

test('access keys: two at most, disabled ones are refused at once, last use is known', async () => {
  const { userName, keys } = await newUser(root);
  const me = stsOf(platform, keys);
  assert.equal((await me.getCallerIdentity()).body?.identityType, 'RAMUser');
  const second = await newKey(root, userName);
  await assert.rejects(newKey(root, userName), failsWith('LimitExceeded', 409, /accessKeysPerUser/));
  const userAccessKeyId = keys.accessKeyId;
  const used = await root.getAccessKeyLastUsed(new ram.GetAccessKeyLastUsedRequest({ userName, userAccessKeyId }));
  assert.ok(Date.now() - Date.parse(used.body?.accessKeyLastUsed?.lastUsedDate ?? '') < 60_000);
  const unused = await root.getAccessKeyLastUsed(
    new ram.GetAccessKeyLastUsedRequest({ userName, userAccessKeyId: second.accessKeyId }),
  );
  assert.equal(unused.body?.accessKeyLastUsed?.lastUsedDate, '');
  const setStatus = (status: string) =>
    root.updateAccessKey(new ram.UpdateAccessKeyRequest({ userName, userAccessKeyId, status }));
  await setStatus('Inactive');
  await assert.rejects(me.getCallerIdentity(), failsWith('InvalidAccessKeyId.NotFound', 404));
  const listed = await root.listAccessKeys(new ram.ListAccessKeysRequest({ userName }));
  assert.deepEqual(
    listed.body?.accessKeys?.accessKey?.map((key) => [key.accessKeyId, key.status]),
    [
      [userAccessKeyId, 'Inactive'],
      [second.accessKeyId, 'Active'],
    ],
  );
  assert.ok(!JSON.stringify(listed.body).includes(keys.accessKeySecret));
  await setStatus('Active');
  await me.getCallerIdentity();
  await root.deleteAccessKey(new ram.DeleteAccessKeyRequest({ userName, userAccessKeyId }));
  await assert.rejects(me.getCallerIdentity(), failsWith('InvalidAccessKeyId.NotFound', 404));
  await assert.rejects(
    root.deleteUser(new ram.DeleteUserRequest({ userName })),
    failsWith('DeleteConflict.User', 409, new RegExp(second.accessKeyId)),
  );
});

test('policies: versions, default, attachment to users, groups and roles', async () => {
  const policyName = newName('policy');
  const policyType = 'Custom';
  await root.createPolicy(new ram.CreatePolicyRequest({ policyName, policyDocument: ANYTHING, description: 'd' }));
  const made = await root.createPolicyVersion(
    new ram.CreatePolicyVersionRequest({
      policyName,
      policyDocument: policyOf('Deny', ['oss:*'], ['*']),
      setAsDefault: true,
    }),
  );
  assert.equal(made.body?.policyVersion?.versionId, 'v2');
  assert.equal(made.body?.policyVersion?.isDefaultVersion, true);
  const policy = (await root.getPolicy(new ram.GetPolicyRequest({ policyName, policyType }))).body;
  assert.equal(policy?.policy?.defaultVersion, 'v2');
  assert.equal(policy?.defaultPolicyVersion?.policyDocument, policyOf('Deny', ['oss:*'], ['*']));
  await root.setDefaultPolicyVersion(new ram.SetDefaultPolicyVersionRequest({ policyName, versionId: 'v1' }));
  const versions = await root.listPolicyVersions(new ram.ListPolicyVersionsRequest({ policyName, policyType }));
  assert.deepEqual(
    versions.body?.policyVersions?.policyVersion?.map((version) => [version.versionId, version.isDefaultVersion]),
    [
      ['v1', true],
      ['v2', false],
    ],
  );
  const { userName } = await newUser(root);
  const groupName = newName('group');
  const roleName = newName('role');
  await root.createGroup(new ram.CreateGroupRequest({ groupName }));
  await root.addUserToGroup(new ram.AddUserToGroupRequest({ groupName, userName }));
  const assumeRolePolicyDocument = trustOf({ Service: ['fc.aliyuncs.com'] });
  await root.createRole(new ram.CreateRoleRequest({ roleName, assumeRolePolicyDocument }));
  await root.attachPolicyToUser(new ram.AttachPolicyToUserRequest({ policyName, policyType, userName }));
  await root.attachPolicyToGroup(new ram.AttachPolicyToGroupRequest({ policyName, policyType, groupName }));
  await root.attachPolicyToRole(new ram.AttachPolicyToRoleRequest({ policyName, policyType, roleName }));
  await assert.rejects(
    root.attachPolicyToRole(new ram.AttachPolicyToRoleRequest({ policyName, policyType, roleName })),
    failsWith('EntityAlreadyExists.Role.Policy', 409),
  );
  const entities = await root.listEntitiesForPolicy(new ram.ListEntitiesForPolicyRequest({ policyName, policyType }));
  assert.equal(entities.body?.users?.user?.[0]?.userName, userName);
  assert.equal(entities.body?.groups?.group?.[0]?.groupName, groupName);
  assert.equal(entities.body?.roles?.role?.[0]?.arn, `acs:ram::${await accountId()}:role/${roleName.toLowerCase()}`);
  const ofRole = await root.listPoliciesForRole(new ram.ListPoliciesForRoleRequest({ roleName }));
  assert.equal(ofRole.body?.policies?.policy?.[0]?.policyName, policyName);
  await assert.rejects(
    root.deletePolicy(new ram.DeletePolicyRequest({ policyName })),
    failsWith('DeleteConflict.Policy', 409, /3 times/),
  );
  await root.detachPolicyFromUser(new ram.DetachPolicyFromUserRequest({ policyName, policyType, userName }));
  await root.detachPolicyFromGroup(new ram.DetachPolicyFromGroupRequest({ policyName, policyType, groupName }));
  await root.detachPolicyFromRole(new ram.DetachPolicyFromRoleRequest({ policyName, policyType, roleName }));
  await root.deletePolicyVersion(new ram.DeletePolicyVersionRequest({ policyName, versionId: 'v2' }));
  await root.deletePolicy(new ram.DeletePolicyRequest({ policyName }));
  await root.deleteRole(new ram.DeleteRoleRequest({ roleName }));
  await root.removeUserFromGroup(new ram.RemoveUserFromGroupRequest({ groupName, userName }));
  await root.deleteGroup(new ram.DeleteGroupRequest({ groupName }));
  await assert.rejects(
    root.createPolicy(new ram.CreatePolicyRequest({ policyName, policyDocument: '{"Version":"1"}' })),
    failsWith('MalformedPolicyDocument', 400),
  );
});

test('the platform has system policies, and they cannot be changed', async () => {
  const listed = await root.listPolicies(new ram.ListPoliciesRequest({ policyType: 'System' }));
  const names = listed.body?.policies?.policy?.map((policy) => policy.policyName) ?? [];
  for (const name of ['AdministratorAccess', 'AliyunFCFullAccess', 'AliyunFCReadOnlyAccess', 'AliyunOSSFullAccess']) {
    assert.ok(names.includes(name), name);
  }
  await assert.rejects(
    root.deletePolicy(new ram.DeletePolicyRequest({ policyName: 'AdministratorAccess' })),
    failsWith('EntityNotExist.Policy', 404),
  );
});

test('roles: trust, longest session, update', async () => {
  const roleName = newName('Role');
  const trust = trustOf({ Service: ['fc.aliyuncs.com'] });
  await root.createRole(
    new ram.CreateRoleRequest({ roleName, assumeRolePolicyDocument: trust, maxSessionDuration: 7_200 }),
  );
  // names of roles are found in any case, as their ARNs are lower case
  const { body } = await root.getRole(new ram.GetRoleRequest({ roleName: roleName.toLowerCase() }));
  assert.equal(body?.role?.roleName, roleName);
  assert.equal(body?.role?.maxSessionDuration, 7_200);
  assert.equal(body?.role?.assumeRolePolicyDocument, trust);
  await root.updateRole(new ram.UpdateRoleRequest({ roleName, newDescription: 'new' }));
  const listed = await root.listRoles(new ram.ListRolesRequest({ maxItems: 1000 }));
  assert.equal(listed.body?.roles?.role?.find((role) => role.roleName === roleName)?.description, 'new');
  await assert.rejects(
    root.updateRole(new ram.UpdateRoleRequest({ roleName, newAssumeRolePolicyDocument: '{}' })),
    failsWith('MalformedPolicyDocument', 400),
  );
  await assert.rejects(
    root.updateRole(new ram.UpdateRoleRequest({ roleName, newMaxSessionDuration: 60 })),
    failsWith('InvalidParameter', 400, /MaxSessionDuration/),
  );
  await root.deleteRole(new ram.DeleteRoleRequest({ roleName }));
});

test('what a user may not do, and what the platform does not have, is refused by name', async () => {
  const { userName, keys } = await newUser(root, { system: ['AliyunRAMReadOnlyAccess'] });
  const reader = ramOf(platform, keys);
  assert.equal((await reader.getUser(new ram.GetUserRequest({ userName }))).body?.user?.userName, userName);
  await assert.rejects(
    reader.deleteUser(new ram.DeleteUserRequest({ userName })),
    failsWith('NoPermission', 403, /ram:DeleteUser/),
  );
  const { keys: nobody } = await newUser(root);
  await assert.rejects(
    ramOf(platform, nobody).listUsers(new ram.ListUsersRequest({})),
    failsWith('NoPermission', 403, /ram:ListUsers/),
  );
  await assert.rejects(
    root.createLoginProfile(new ram.CreateLoginProfileRequest({ userName, password: 'x' })),
    failsWith('NotSupported', 400, /CreateLoginProfile/),
  );
  await assert.rejects(
    ramOf(platform, { ...keys, accessKeySecret: 'wrong' }).listUsers(new ram.ListUsersRequest({})),
    failsWith('SignatureDoesNotMatch', 400),
  );
});

test('sessions of roles: policies of both sides, session policy, longest time, end of the role', async () => {
  const account = await accountId();
  const { userName, keys } = await newUser(root, { system: ['AliyunSTSAssumeRoleAccess'] });
  const roleName = newName('role');
  const roleArn = `acs:ram::${account}:role/${roleName}`;
  await root.createRole(
    new ram.CreateRoleRequest({
      roleName,
      assumeRolePolicyDocument: trustOf({ RAM: [`acs:ram::${account}:user/${userName}`] }),
    }),
  );
  await root.attachPolicyToRole(
    new ram.AttachPolicyToRoleRequest({ roleName, policyType: 'System', policyName: 'AliyunRAMReadOnlyAccess' }),
  );
  const assume = async (more = {}) => {
    const request = new sts.AssumeRoleRequest({ roleArn, roleSessionName: 'test', ...more });
    const { body } = await stsOf(platform, keys).assumeRole(request);
    const { accessKeyId = '', accessKeySecret = '', securityToken = '', expiration = '' } = body?.credentials ?? {};
    return { body, expiration, keys: { accessKeyId, accessKeySecret, securityToken } };
  };
  const session = await assume();
  assert.ok(Math.abs(Date.parse(session.expiration) - Date.now() - 3_600_000) < 60_000);
  assert.equal(session.body?.assumedRoleUser?.arn, `acs:ram::${account}:assumed-role/${roleName.toLowerCase()}/test`);
  const who = await stsOf(platform, session.keys).getCallerIdentity();
  assert.equal(who.body?.identityType, 'AssumedRoleUser');
  assert.equal(who.body?.arn, session.body?.assumedRoleUser?.arn);
  await ramOf(platform, session.keys).listUsers(new ram.ListUsersRequest({ maxItems: 1 }));
  const narrow = await assume({ policy: policyOf('Allow', ['ram:GetUser'], ['*']), durationSeconds: 900 });
  await ramOf(platform, narrow.keys).getUser(new ram.GetUserRequest({ userName }));
  await assert.rejects(
    ramOf(platform, narrow.keys).listUsers(new ram.ListUsersRequest({})),
    failsWith('NoPermission', 403, /session policy/),
  );
  await assert.rejects(assume({ durationSeconds: 3_601 }), failsWith('InvalidParameter', 400, /DurationSeconds/));
  await assert.rejects(stsOf(platform, { ...session.keys, securityToken: 'x' }).getCallerIdentity());
  await assert.rejects(
    stsOf(platform).assumeRole(new sts.AssumeRoleRequest({ roleArn, roleSessionName: 'root' })),
    failsWith('NoPermission', 403, /root/),
  );
  const { keys: stranger } = await newUser(root, { system: ['AliyunSTSAssumeRoleAccess'] });
  await assert.rejects(
    stsOf(platform, stranger).assumeRole(new sts.AssumeRoleRequest({ roleArn, roleSessionName: 'test' })),
    failsWith('NoPermission', 403, /trust/),
  );
  await root.detachPolicyFromRole(
    new ram.DetachPolicyFromRoleRequest({ roleName, policyType: 'System', policyName: 'AliyunRAMReadOnlyAccess' }),
  );
  await root.deleteRole(new ram.DeleteRoleRequest({ roleName }));
  await assert.rejects(
    stsOf(platform, session.keys).getCallerIdentity(),
    failsWith('InvalidAccessKeyId.NotFound', 404),
  );
});
