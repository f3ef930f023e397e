import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { SimulatedRequest } from '../../../src/core/ports/policy-simulation.ts';
import { ACCOUNT, AccessWorld, allow, FUNCTION_ARN, trust } from './access-world.ts';

const service = await new AccessWorld().open();
await service.identities.createUser(ACCOUNT, 'alice', {});
await service.identities.createPolicy(ACCOUNT, 'invoke', allow(['fc:InvokeFunction']), '');
await service.identities.attachPolicy(ACCOUNT, { kind: 'user', name: 'alice' }, { type: 'Custom', name: 'invoke' });
await service.identities.createRole(ACCOUNT, 'worker', { trust: trust({ Service: ['fc.aliyuncs.com'] }) });

function simulate(parts: Partial<SimulatedRequest>) {
  return service.simulation.simulate(ACCOUNT, {
    principal: undefined,
    policies: [],
    session: undefined,
    action: 'fc:InvokeFunction',
    resource: FUNCTION_ARN,
    context: {},
    ...parts,
  });
}

test('users, roles, functions and root are decided as they are in earnest', () => {
  assert.equal(simulate({ principal: `acs:ram::${ACCOUNT}:user/alice` }).decision.effect, 'allow');
  const denied = simulate({ principal: 'user/alice', action: 'fc:GetFunction' });
  assert.equal(denied.decision.effect, 'implicit-deny');
  assert.deepEqual(denied.considered, [
    {
      policy: 'invoke',
      source: 'custom',
      statement: 1,
      statementEffect: 'Allow',
      mismatch: 'Action does not cover fc:GetFunction',
    },
  ]);
  assert.equal(simulate({ principal: 'role/Worker' }).decision.effect, 'implicit-deny');
  assert.equal(
    simulate({ principal: 'root', action: 'ram:DeleteUser', resource: `acs:ram::${ACCOUNT}:user/a` }).decision.effect,
    'allow',
  );
  assert.equal(simulate({ principal: FUNCTION_ARN }).decision.effect, 'allow');
  assert.equal(simulate({ principal: FUNCTION_ARN, action: 'fc:GetFunction' }).decision.effect, 'implicit-deny');
  assert.match(
    simulate({ principal: 'user/alice', resource: 'acs:fc:local:9999999999999999:functions/f' }).decision.reason,
    /another account/,
  );
});

test('documents at hand act alone, beside those of somebody, and as a session', () => {
  const statement = {
    Effect: 'Deny',
    Action: 'fc:*',
    Resource: '*',
    Condition: { IpAddress: { 'acs:SourceIp': '10.0.0.0/8' } },
  };
  const document = JSON.stringify({ Version: '1', Statement: [statement] });
  const policies = [{ name: 'draft', document }];
  const principal = 'user/alice';
  const inside = simulate({ principal, policies, context: { 'ACS:SourceIp': '10.1.1.1' } });
  assert.deepEqual(inside.decision.effect === 'explicit-deny' && inside.decision.by, {
    policy: 'draft',
    source: 'inline',
    statement: 1,
  });
  const outside = simulate({ principal, policies, context: { 'acs:SourceIp': '11.1.1.1' } });
  assert.equal(outside.decision.effect, 'allow');
  assert.match(
    outside.considered[1]?.mismatch ?? '',
    /Condition IpAddress of acs:SourceIp .* the request has "11.1.1.1"/,
  );
  assert.match(simulate({ policies }).considered[0]?.mismatch ?? '', /no such key/);
  assert.equal(simulate({ policies: [{ name: 'p', document: allow(['fc:*']) }] }).decision.effect, 'allow');
  assert.equal(simulate({ principal, session: allow(['oss:*']) }).decision.effect, 'implicit-deny');
});

test('strangers, unknown names and broken documents are refused', () => {
  const refusals = [
    [{ principal: 'acs:ram::9999999999999999:user/alice' }, 'InvalidArgument'],
    [{ principal: 'nobody' }, 'InvalidArgument'],
    [{ principal: 'user/nobody' }, 'EntityNotExist.User'],
    [{ principal: 'role/nobody' }, 'EntityNotExist.Role'],
    [{ policies: [{ name: 'p', document: '{' }] }, 'MalformedPolicyDocument'],
    [{ policies: Array.from({ length: 21 }, () => ({ name: 'p', document: allow(['*']) })) }, 'InvalidArgument'],
  ] as const;
  for (const [parts, code] of refusals) {
    assert.throws(
      () => simulate(parts),
      (error) => error instanceof TidemillError && error.code === code,
      JSON.stringify(parts).slice(0, 100),
    );
  }
});
