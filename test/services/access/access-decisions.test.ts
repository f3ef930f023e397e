import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { functionPrincipal, rootPrincipal } from '../../../src/core/domain/credentials.ts';
import { evaluate } from '../../../src/core/domain/policy/evaluate.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import type { PrincipalPolicies } from '../../../src/core/ports/principal-policies.ts';
import { AccessDecisions, DEFAULT_OF_FUNCTIONS, readPolicy } from '../../../src/services/access/index.ts';

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

test('what is remembered is what the policies say, with conditions and after every change', () => {
  const documents = [
    { Effect: 'Allow', Action: '*', Resource: '*' },
    { Effect: 'Allow', Action: 'fc:*', Resource: '*', Condition: { StringEquals: { 'oss:Prefix': 'a' } } },
    { Effect: 'Deny', Action: 'fc:Get*', Resource: '*' },
    {
      Effect: 'Deny',
      Action: '*',
      Resource: F,
      Condition: { DateLessThan: { 'acs:CurrentTime': '2026-01-01T00:00:00Z' } },
    },
  ].map((statement, index) => ({
    name: `p${index}`,
    source: 'custom' as const,
    document: readPolicy(JSON.stringify({ Version: '1', Statement: statement })),
  }));
  const user = { account: MINE, kind: 'user' as const, arn: `acs:ram::${MINE}:user/a`, name: 'a' };
  let attached: readonly (typeof documents)[number][] = [];
  let changed = (): void => {};
  let now = 0;
  const onChange = (listener: () => void) => {
    changed = listener;
    return { dispose() {} };
  };
  const decisions = new AccessDecisions({ policiesOf: () => attached, onChange }, { now: () => now });
  const step = fc.record({
    attach: fc.option(fc.subarray(documents)),
    action: fc.constantFrom('fc:GetFunction', 'fc:InvokeFunction', 'oss:GetObject'),
    resource: fc.constantFrom(F, `${F}2`, `acs:fc:local:${OTHER}:functions/f`),
    prefix: fc.option(fc.constantFrom('a', 'b')),
    time: fc.constantFrom(Date.UTC(2025, 0), Date.UTC(2027, 0)),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      for (const { attach, action, resource, prefix, time } of steps) {
        if (attach !== null) {
          attached = attach;
          changed();
        }
        now = time;
        const keys = new Map(prefix === null ? [] : [['oss:prefix', prefix]]);
        const { effect } = decisions.decide(user, action, resource, keys);
        const fresh = evaluate(attached, {
          action,
          resource,
          context: new Map([...keys, ['acs:currenttime', new Date(time).toISOString()]]),
        }).effect;
        const foreign = resource.includes(OTHER) && fresh === 'allow' ? 'implicit-deny' : fresh;
        assert.equal(effect, foreign);
      }
    }),
  );
});
