import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { NO_CONDITIONS } from '../../../src/core/domain/policy/decision.ts';
import type { AccessService } from '../../../src/services/access/create-access.ts';
import { ACCOUNT, AccessWorld, allow, FUNCTION_ARN, HOUR, TRUSTS_FUNCTIONS, trust } from './access-world.ts';

const GET = `acs:oss:*:${ACCOUNT}:b/in/1`;
const PUT = `acs:oss:*:${ACCOUNT}:b/out/1`;

function code(expected: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TidemillError, String(error));
    assert.equal(error.code, expected, error.message);
    return true;
  };
}

/** A user with a key, and the principal that the key gives. */
async function userOf({ identities, identity }: AccessService, name: string) {
  await identities.createUser(ACCOUNT, name, {});
  const { record, accessKeySecret } = await identities.createAccessKey({ account: ACCOUNT, user: name });
  const find = () => identity.findKey(record.accessKeyId, undefined);
  const known = find();
  assert.equal(known?.secret, accessKeySecret);
  return { id: record.accessKeyId, find, principal: known.principal };
}

describe('users and their keys', () => {
  it('have at most two keys; a disabled one is unknown at once, and so is everything of a deleted user', async () => {
    const service = await new AccessWorld().open();
    const { identities } = service;
    const { id, find, principal } = await userOf(service, 'ann');
    const owner = { account: ACCOUNT, user: 'ann' };
    assert.deepEqual(principal, { account: ACCOUNT, kind: 'user', arn: `acs:ram::${ACCOUNT}:user/ann`, name: 'ann' });
    const second = await identities.createAccessKey(owner);
    await assert.rejects(identities.createAccessKey(owner), code('LimitExceededError'));
    await identities.setAccessKeyStatus(owner, id, 'Inactive');
    assert.equal(find(), undefined);
    await identities.setAccessKeyStatus(owner, id, 'Active');
    assert.equal(find()?.principal.name, 'ann');
    await identities.deleteAccessKey(owner, id);
    assert.equal(find(), undefined);
    await assert.rejects(identities.deleteUser(ACCOUNT, 'ann'), code('DeleteConflict.User'));
    await identities.deleteAccessKey(owner, second.record.accessKeyId);
    await identities.deleteUser(ACCOUNT, 'ann');
    assert.throws(() => identities.getUser(ACCOUNT, 'ann'), code('EntityNotExist.User'));
  });

  it('survive a restart; the store never holds a secret', async () => {
    const world = new AccessWorld();
    const service = await world.open();
    const { id, principal } = await userOf(service, 'ann');
    const secret = service.identity.findKey(id, undefined)!.secret;
    const text = JSON.stringify([...world.store.entries.values()]);
    assert.ok(text.includes(id) && !text.includes(secret));
    service.identity.noteUse(principal);
    await service.close();
    const again = await world.open();
    assert.equal(again.identity.findKey(id, undefined)?.secret, secret);
    assert.equal(again.identities.accessKeyLastUsed({ account: ACCOUNT, user: 'ann' }, id), world.clock.wall);
  });

  it('give the same principal while the key lives, so that decisions are remembered', async () => {
    const service = await new AccessWorld().open();
    const { find, principal } = await userOf(service, 'ann');
    await service.identities.updateUser(ACCOUNT, 'ann', { comments: 'x' });
    assert.equal(find()?.principal, principal);
  });
});

describe('policies', () => {
  it('act on users directly and through groups, and stop when detached', async () => {
    const service = await new AccessWorld().open();
    const { identities, access } = service;
    const { principal } = await userOf(service, 'ann');
    const may = (): boolean => access.decide(principal, 'oss:GetObject', GET).effect === 'allow';
    assert.equal(may(), false);
    await identities.createPolicy(ACCOUNT, 'read', allow(['oss:GetObject']), '');
    const policy = { type: 'Custom', name: 'read' } as const;
    await identities.attachPolicy(ACCOUNT, { kind: 'user', name: 'ann' }, policy);
    assert.equal(may(), true);
    await identities.detachPolicy(ACCOUNT, { kind: 'user', name: 'ann' }, policy);
    assert.equal(may(), false);
    await identities.createGroup(ACCOUNT, 'readers', '');
    await identities.attachPolicy(ACCOUNT, { kind: 'group', name: 'readers' }, policy);
    await identities.addUserToGroup(ACCOUNT, 'ann', 'readers');
    assert.equal(may(), true);
    await assert.rejects(identities.deletePolicy(ACCOUNT, 'read'), code('DeleteConflict.Policy'));
    await identities.removeUserFromGroup(ACCOUNT, 'ann', 'readers');
    assert.equal(may(), false);
  });

  it('have versions: the default one acts, five at most, and the oldest may give way', async () => {
    const service = await new AccessWorld().open();
    const { identities, access } = service;
    const { principal } = await userOf(service, 'ann');
    await identities.createPolicy(ACCOUNT, 'p', allow(['oss:GetObject']), '');
    await identities.attachPolicy(ACCOUNT, { kind: 'user', name: 'ann' }, { type: 'Custom', name: 'p' });
    const make = (asDefault: boolean, dropOldest = false) =>
      identities.createPolicyVersion(ACCOUNT, 'p', allow(['oss:PutObject']), { asDefault, dropOldest });
    assert.equal((await make(true)).versionId, 'v2');
    assert.equal(access.decide(principal, 'oss:GetObject', GET).effect, 'implicit-deny');
    await identities.setDefaultPolicyVersion(ACCOUNT, 'p', 'v1');
    assert.equal(access.decide(principal, 'oss:GetObject', GET).effect, 'allow');
    for (let version = 3; version <= 5; version++) await make(false);
    await assert.rejects(make(false), code('LimitExceededError'));
    assert.equal((await make(false, true)).versionId, 'v6');
    const view = identities.getPolicy(ACCOUNT, { type: 'Custom', name: 'p' });
    assert.deepEqual(
      view.versions.map((version) => version.versionId),
      ['v1', 'v3', 'v4', 'v5', 'v6'],
    );
    await assert.rejects(identities.deletePolicyVersion(ACCOUNT, 'p', 'v1'), code('DeleteConflict.Policy'));
    await assert.rejects(identities.createPolicy(ACCOUNT, 'bad', '{', ''), code('MalformedPolicyDocument'));
    await assert.rejects(
      identities.createPolicy(ACCOUNT, 'AdministratorAccess', allow(['*']), ''),
      code('EntityAlreadyExists.Policy'),
    );
  });
});

describe('roles', () => {
  const assume = (
    service: AccessService,
    principal: Parameters<typeof service.roleSessions.assumeRole>[0],
    more = {},
  ) =>
    service.roleSessions.assumeRole(
      principal,
      {
        ...{ roleArn: `acs:ram::${ACCOUNT}:role/Reader`, sessionName: 'me', policy: undefined },
        durationSeconds: undefined,
        ...more,
      },
      NO_CONDITIONS,
    );

  async function withRole() {
    const world = new AccessWorld();
    const service = await world.open();
    const { identities } = service;
    const { principal } = await userOf(service, 'ann');
    await identities.createRole(ACCOUNT, 'Reader', { trust: trust({ RAM: [`acs:ram::${ACCOUNT}:root`] }) });
    await identities.createPolicy(ACCOUNT, 'both', allow(['oss:GetObject', 'oss:PutObject']), '');
    await identities.attachPolicy(ACCOUNT, { kind: 'role', name: 'Reader' }, { type: 'Custom', name: 'both' });
    const grant = { type: 'System', name: 'AliyunSTSAssumeRoleAccess' } as const;
    await identities.attachPolicy(ACCOUNT, { kind: 'user', name: 'ann' }, grant);
    return { world, service, principal };
  }

  it('need the policy of the caller and the trust of the role, and give what the role may', async () => {
    const { service, principal } = await withRole();
    const { access, identity, identities } = service;
    const { credentials, arn } = assume(service, principal);
    const key = identity.findKey(credentials.accessKeyId, credentials.securityToken);
    assert.equal(key?.secret, credentials.accessKeySecret);
    assert.equal(arn, `acs:ram::${ACCOUNT}:assumed-role/reader/me`);
    assert.equal(key?.principal.arn, arn);
    assert.equal(access.decide(key.principal, 'oss:GetObject', GET).effect, 'allow');
    assert.equal(access.decide(key.principal, 'fc:ListFunctions', FUNCTION_ARN).effect, 'implicit-deny');
    await identities.updateRole(ACCOUNT, 'Reader', { trust: trust({ RAM: [`acs:ram::${ACCOUNT}:user/bob`] }) });
    assert.throws(() => assume(service, principal), code('AccessDenied'));
    const { principal: bob } = await userOf(service, 'bob');
    assert.throws(() => assume(service, bob), code('AccessDenied'));
    const root = identity.findKey('AK', undefined)!.principal;
    assert.throws(() => assume(service, root), code('AccessDenied'));
  });

  it('conditions of a trust policy are asked, the time among them', async () => {
    const { world, service, principal } = await withRole();
    const until = new Date(world.clock.wall + HOUR).toISOString().replace(/\.\d+Z$/, 'Z');
    const who = { Action: 'sts:AssumeRole', Principal: { RAM: [`acs:ram::${ACCOUNT}:root`] } };
    const document = {
      Version: '1',
      Statement: [
        { Effect: 'Allow', ...who },
        { Effect: 'Deny', ...who, Condition: { DateGreaterThan: { 'acs:CurrentTime': until } } },
      ],
    };
    await service.identities.updateRole(ACCOUNT, 'Reader', { trust: JSON.stringify(document) });
    assert.ok(assume(service, principal));
    world.clock.wall += HOUR + 1_000;
    assert.throws(() => assume(service, principal), code('AccessDenied'));
  });

  it('a session policy narrows', async () => {
    const { service, principal } = await withRole();
    const policy = allow(['oss:GetObject', 'fc:*'], `acs:oss:*:${ACCOUNT}:b/in/*`);
    const { credentials } = assume(service, principal, { policy });
    const { principal: session } = service.identity.findKey(credentials.accessKeyId, credentials.securityToken)!;
    assert.equal(service.access.decide(session, 'oss:GetObject', GET).effect, 'allow');
    assert.equal(service.access.decide(session, 'oss:PutObject', PUT).effect, 'implicit-deny');
    assert.throws(() => assume(service, principal, { policy: 'x'.repeat(3_000) }), code('InvalidArgument'));
  });

  it('end with their time, within what the role allows', async () => {
    const { world, service, principal } = await withRole();
    assert.throws(() => assume(service, principal, { durationSeconds: 899 }), code('InvalidArgument'));
    assert.throws(() => assume(service, principal, { durationSeconds: 3_601 }), code('InvalidArgument'));
    await service.identities.updateRole(ACCOUNT, 'reader', { maxSessionSeconds: 43_200 });
    const { credentials } = assume(service, principal, { durationSeconds: 43_200 });
    const find = () => service.identity.findKey(credentials.accessKeyId, credentials.securityToken);
    world.clock.wall += 12 * HOUR - 1;
    assert.ok(find());
    world.clock.wall += 1;
    assert.equal(find(), undefined);
  });

  it('stop at once when the role is told so, deleted, or made anew', async () => {
    const { world, service, principal } = await withRole();
    const { identities, identity } = service;
    const given = () => {
      const { credentials } = assume(service, principal);
      return (by = identity) => by.findKey(credentials.accessKeyId, credentials.securityToken) !== undefined;
    };
    const first = given();
    assert.equal(first(), true);
    world.clock.wall += 5;
    await identities.revokeSessions(ACCOUNT, 'Reader');
    assert.equal(first(), false);
    const second = given();
    assert.equal(second(), true);
    await identities.detachPolicy(ACCOUNT, { kind: 'role', name: 'Reader' }, { type: 'Custom', name: 'both' });
    await identities.deleteRole(ACCOUNT, 'Reader');
    assert.equal(second(), false);
    await identities.createRole(ACCOUNT, 'Reader', { trust: trust({ RAM: [`acs:ram::${ACCOUNT}:root`] }) });
    assert.equal(second(), false);
    const restarted = (await world.open()).identity;
    assert.equal(second(restarted), false, 'nor by a server that has not seen the first role');
    const third = given();
    assert.deepEqual([third(), third(restarted)], [true, true]);
  });

  it('of functions must trust functions; theirs follow the role', async () => {
    const service = await new AccessWorld().open();
    const { identities, identity } = service;
    const role = `acs:ram::${ACCOUNT}:role/worker`;
    assert.throws(() => identity.credentialsFor(ACCOUNT, FUNCTION_ARN, role), code('AccessDenied'));
    await identities.createRole(ACCOUNT, 'worker', { trust: trust({ RAM: [`acs:ram::${ACCOUNT}:root`] }) });
    assert.throws(() => identity.credentialsFor(ACCOUNT, FUNCTION_ARN, role), code('AccessDenied'));
    await identities.updateRole(ACCOUNT, 'worker', { trust: TRUSTS_FUNCTIONS });
    const given = identity.credentialsFor(ACCOUNT, FUNCTION_ARN, role);
    assert.equal(identity.credentialsFor(ACCOUNT, FUNCTION_ARN, role), given);
    const { principal } = identity.findKey(given.accessKeyId, given.securityToken)!;
    assert.equal(principal.arn, `acs:ram::${ACCOUNT}:assumed-role/worker/f`);
    assert.equal(principal.functionArn, FUNCTION_ARN);
    await identities.revokeSessions(ACCOUNT, 'worker');
    assert.equal(identity.findKey(given.accessKeyId, given.securityToken), undefined);
    const next = identity.credentialsFor(ACCOUNT, FUNCTION_ARN, role);
    assert.ok(identity.findKey(next.accessKeyId, next.securityToken));
    await identities.updateRole(ACCOUNT, 'worker', { trust: trust({ RAM: [`acs:ram::${ACCOUNT}:root`] }) });
    assert.throws(() => identity.credentialsFor(ACCOUNT, FUNCTION_ARN, role), code('AccessDenied'));
    const { account } = (await service.accounts.create('other')).record;
    await identities.createRole(account, 'worker', { trust: TRUSTS_FUNCTIONS });
    const other = role.replace(ACCOUNT, account);
    assert.throws(() => identity.credentialsFor(ACCOUNT, FUNCTION_ARN, other), code('AccessDenied'));
    const theirs = `acs:fc:local:${account}:functions/f`;
    assert.ok(identity.credentialsFor(account, theirs, other));
  });
});

describe('accounts', () => {
  it('have keys of their own; disabled ones are unknown with everything they hold', async () => {
    const world = new AccessWorld();
    const service = await world.open();
    const { accounts, identity, identities, states } = service;
    const { record, key } = await accounts.create('second');
    const { account } = record;
    const find = () => identity.findKey(key.record.accessKeyId, undefined);
    assert.deepEqual(find()?.principal, { account, kind: 'root', arn: `acs:ram::${account}:root` });
    assert.equal(accounts.isOperator(find()!.principal), false);
    assert.equal(accounts.isOperator(identity.findKey('AK', undefined)!.principal), true);
    await identities.createUser(account, 'ann', {});
    const ann = await identities.createAccessKey({ account, user: 'ann' });
    const temporary = identity.credentialsFor(account, `acs:fc:local:${account}:functions/f`);
    const all = () => [
      find(),
      identity.findKey(ann.record.accessKeyId, undefined),
      identity.findKey(temporary.accessKeyId, temporary.securityToken),
    ];
    assert.ok(all().every((known) => known?.principal.account === account));
    await accounts.setStatus(account, 'disabled');
    assert.deepEqual(all(), [undefined, undefined, undefined]);
    assert.equal(states.isActive(account), false);
    await accounts.setStatus(account, 'active');
    assert.ok(all().every((known) => known !== undefined));
    assert.throws(() => identities.getUser(ACCOUNT, 'ann'), code('EntityNotExist.User'));
    await assert.rejects(accounts.setStatus(ACCOUNT, 'disabled'), code('InvalidArgument'));
    world.contents = ['2 functions'];
    await assert.rejects(accounts.delete(account), code('AccountNotEmpty'));
    assert.equal(states.isActive(account), true, 'a refused deletion changes nothing');
    identity.noteUse(find()!.principal);
    world.contents = [];
    await accounts.delete(account);
    await service.close();
    const left = [...world.store.entries.keys()].filter((name) => !name.includes(ACCOUNT));
    assert.deepEqual(left, [], 'nothing of it stays in the store');
    assert.deepEqual(all(), [undefined, undefined, undefined]);
    assert.deepEqual(
      accounts.list().map((each) => each.account),
      [ACCOUNT],
    );
  });

  it('have quotas of the table unless the operator says otherwise', async () => {
    const world = new AccessWorld();
    const service = await world.open();
    const { account } = (await service.accounts.create('second')).record;
    const told: string[] = [];
    service.quotas.onChange((changed) => told.push(changed));
    await service.accounts.setQuotas(account, { functions: 3 });
    assert.equal(service.quotas.of(account).functions, 3);
    assert.equal(service.quotas.of(ACCOUNT).functions, 1_000);
    assert.deepEqual(told, [account]);
    assert.equal((await world.open()).quotas.of(account).functions, 3);
    await service.accounts.setQuotas(account, { functions: undefined });
    assert.equal(service.quotas.of(account).functions, 1_000);
    await assert.rejects(service.accounts.setQuotas(account, { functions: -1 }), code('InvalidArgument'));
    await assert.rejects(service.accounts.setQuotas(account, { cows: 1 } as never), code('InvalidArgument'));
  });
});

describe('many at once', () => {
  it('lose nothing, pass no limit, and leave in memory what a new server finds in the store', async () => {
    const world = new AccessWorld();
    const { identities } = await world.open();
    await identities.createUser(ACCOUNT, 'ann', {});
    const groups = Array.from({ length: 30 }, (_, index) => `g${index}`).sort();
    await Promise.all(groups.map((name) => identities.createGroup(ACCOUNT, name, '')));
    const outcomes = await Promise.allSettled([
      ...groups.map((name) => identities.addUserToGroup(ACCOUNT, 'ann', name)),
      ...[1, 2, 3, 4].map(() => identities.createAccessKey({ account: ACCOUNT, user: 'ann' })),
      ...[1, 2].map(() => identities.createUser(ACCOUNT, 'bob', {})),
    ]);
    const failed = outcomes.flatMap((each) =>
      each.status === 'rejected' ? [(each.reason as TidemillError).code] : [],
    );
    assert.deepEqual(failed.sort(), ['EntityAlreadyExists.User', 'LimitExceededError', 'LimitExceededError']);
    const ann = identities.getUser(ACCOUNT, 'ann');
    assert.deepEqual(ann.groups.map(({ name }) => name).sort(), groups);
    assert.equal(ann.keys.length, 2);
    for (let round = 0; round < 20; round++) {
      const name = `p${round}`;
      await identities.createPolicy(ACCOUNT, name, allow(['oss:GetObject']), '');
      const [attached, deleted] = await Promise.allSettled([
        identities.attachPolicy(ACCOUNT, { kind: 'user', name: 'bob' }, { type: 'Custom', name }),
        identities.deletePolicy(ACCOUNT, name),
      ]);
      assert.notEqual(attached.status, deleted.status, 'nobody holds a policy that is gone');
      if (attached.status === 'fulfilled') {
        await identities.detachPolicy(ACCOUNT, { kind: 'user', name: 'bob' }, { type: 'Custom', name });
      }
    }
    const restarted = await world.open();
    assert.deepEqual(restarted.identities.listUsers(ACCOUNT), identities.listUsers(ACCOUNT));
    assert.deepEqual(restarted.identities.listGroups(ACCOUNT), identities.listGroups(ACCOUNT));
  });
});
