import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionPrincipal, rootPrincipal } from '../../../src/core/domain/credentials.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { PrincipalPolicies } from '../../../src/core/ports/principal-policies.ts';
import { AccessDecisions, DEFAULT_OF_FUNCTIONS } from '../../../src/services/access/index.ts';

const MINE = '1234567890123456';
const OTHER = '9999999999999999';
const F = `acs:fc:local:${MINE}:functions/f`;

/** An account without users and roles. */
const builtin: PrincipalPolicies = {
  policiesOf: ({ kind }) => (kind === 'function' ? [DEFAULT_OF_FUNCTIONS] : []),
  onChange: () => ({ dispose() {} }),
};

const access = new AccessDecisions(builtin, { now: Date.now });

test('root may do everything with what belongs to its account, and nothing with what belongs to another', () => {
  const root = rootPrincipal(MINE);
  access.check(root, 'fc:DeleteFunction', F);
  access.check(root, 'oss:PutObject', `acs:oss:*:${MINE}:bucket/key`);
  assert.throws(
    () => access.check(root, 'fc:GetFunction', `acs:fc:local:${OTHER}:functions/f`),
    (error) =>
      error instanceof TidemillError &&
      error.code === 'AccessDenied' &&
      error.message.includes('fc:GetFunction') &&
      error.message.includes(OTHER),
  );
});

test('a function without a role invokes and uses objects; it reads no configuration', () => {
  const principal = functionPrincipal(MINE, F);
  access.check(principal, 'fc:InvokeFunction', `acs:fc:local:${MINE}:functions/other`);
  access.check(principal, 'oss:GetObject', `acs:oss:*:${MINE}:bucket/a/b`);
  access.check(principal, 'oss:ListObjects', `acs:oss:*:${MINE}:bucket`);
  for (const action of ['fc:GetFunction', 'fc:GetFunctionCode', 'fc:UpdateFunction', 'fc:ListFunctions']) {
    assert.equal(access.decide(principal, action, F).effect, 'implicit-deny', action);
  }
  assert.equal(access.decide(principal, 'oss:DeleteBucket', `acs:oss:*:${MINE}:bucket`).effect, 'implicit-deny');
  assert.equal(
    access.decide(principal, 'fc:InvokeFunction', `acs:fc:local:${OTHER}:functions/f`).effect,
    'implicit-deny',
  );
});

test('the same question is answered with the same decision', () => {
  const root = rootPrincipal(MINE);
  assert.equal(access.decide(root, 'fc:GetFunction', F), access.decide(root, 'fc:GetFunction', F));
});
