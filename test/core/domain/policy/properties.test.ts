import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TidemillError } from '../../../../src/core/domain/errors.ts';
import type { AttachedPolicy } from '../../../../src/core/domain/policy/document.ts';
import { evaluate } from '../../../../src/core/domain/policy/evaluate.ts';
import { readPolicy, readTrustPolicy } from '../../../../src/services/access/index.ts';
import { ACCOUNT, type RawStatement } from './case.ts';

const ACTIONS = ['fc:InvokeFunction', 'fc:GetFunction', 'oss:GetObject', 'oss:PutObject'];
const RESOURCES = ['f', 'g', 'f/LATEST'].map((name) => `acs:fc:local:${ACCOUNT}:functions/${name}`);

const action = fc.constantFrom(...ACTIONS, '*', 'fc:*', 'oss:*Object', 'FC:?etFunction');
const resource = fc.constantFrom(...RESOURCES, '*', 'acs:fc:*', `acs:*:*:${ACCOUNT}:functions/f*`, 'acs:oss:*:*:b/*');
const condition = fc.option(
  fc.record({
    operator: fc.constantFrom('StringEquals', 'StringNotEquals', 'StringLike', 'StringNotLike'),
    key: fc.constantFrom('oss:Prefix', 'oss:Delimiter'),
    value: fc.constantFrom('a', 'b', 'a*'),
  }),
);

const statement: fc.Arbitrary<RawStatement> = fc
  .record({
    effect: fc.constantFrom('Allow', 'Deny'),
    actionName: fc.constantFrom('Action', 'NotAction'),
    resourceName: fc.constantFrom('Resource', 'NotResource'),
    actions: fc.array(action, { minLength: 1, maxLength: 3 }),
    resources: fc.array(resource, { minLength: 1, maxLength: 3 }),
    condition,
  })
  .map((each) => ({
    Effect: each.effect,
    [each.actionName]: each.actions,
    [each.resourceName]: each.resources,
    ...(each.condition === null
      ? {}
      : { Condition: { [each.condition.operator]: { [each.condition.key]: each.condition.value } } }),
  }));

const request = fc.record({
  action: fc.constantFrom(...ACTIONS),
  resource: fc.constantFrom(...RESOURCES, `acs:oss:local:${ACCOUNT}:b/k`),
  context: fc
    .dictionary(fc.constantFrom('oss:prefix', 'oss:delimiter'), fc.constantFrom('a', 'b', 'ab'))
    .map((keys) => new Map(Object.entries(keys))),
});

function policyOf(statements: readonly RawStatement[], source: AttachedPolicy['source'] = 'custom'): AttachedPolicy {
  return { name: source, source, document: readPolicy(JSON.stringify({ Version: '1', Statement: statements })) };
}

const statements = fc.array(statement, { minLength: 1, maxLength: 6 });

test('an explicit deny always wins: a Deny that covers the request decides, whatever else is there', () => {
  fc.assert(
    fc.property(statements, statements, request, (before, after, asked) => {
      const denied = { Effect: 'Deny', Action: asked.action, Resource: asked.resource };
      const decision = evaluate([policyOf([...before, denied, ...after])], asked);
      assert.equal(decision.effect, 'explicit-deny');
    }),
  );
});

test('adding a Deny, or a session policy, never widens', () => {
  fc.assert(
    fc.property(statements, statement, request, (all, more, asked) => {
      const before = evaluate([policyOf(all)], asked).effect;
      const withDeny = evaluate([policyOf([...all, { ...more, Effect: 'Deny' }])], asked).effect;
      const withSession = evaluate([policyOf(all), policyOf([more], 'session')], asked).effect;
      if (before !== 'allow') {
        assert.notEqual(withDeny, 'allow');
        assert.notEqual(withSession, 'allow');
      }
    }),
  );
});

test('adding an Allow never takes away', () => {
  fc.assert(
    fc.property(statements, statement, request, (all, more, asked) => {
      if (evaluate([policyOf(all)], asked).effect !== 'allow') return;
      assert.equal(evaluate([policyOf([...all, { ...more, Effect: 'Allow' }])], asked).effect, 'allow');
    }),
  );
});

test('the order of statements is irrelevant, and so is how they are spread over policies', () => {
  fc.assert(
    fc.property(statements, request, fc.integer({ min: 0, max: 6 }), (all, asked, cut) => {
      const expected = evaluate([policyOf(all)], asked).effect;
      assert.equal(evaluate([policyOf(all.toReversed())], asked).effect, expected);
      const parts = [all.slice(0, cut), all.slice(cut)].filter((part) => part.length > 0);
      assert.equal(
        evaluate(
          parts.map((part) => policyOf(part)),
          asked,
        ).effect,
        expected,
      );
    }),
  );
});

test('a request that lacks keys gets no more than one that has them could', () => {
  fc.assert(
    fc.property(statements, request, (all, asked) => {
      const without = evaluate([policyOf(all)], { ...asked, context: new Map() });
      if (without.effect !== 'allow' || without.by === undefined) return;
      // what allowed it asked for nothing
      assert.equal(all[without.by.statement - 1]?.['Condition'], undefined);
    }),
  );
});

/** Nearly policies: right names, any values, and broken text. */
const nearly = fc.oneof(
  fc.json({ maxDepth: 6 }),
  fc.string({ maxLength: 200 }),
  fc
    .record(
      {
        Version: fc.oneof(fc.constant('1'), fc.jsonValue()),
        Statement: fc.oneof(
          fc.jsonValue(),
          fc.array(
            fc.record(
              {
                Effect: fc.oneof(fc.constantFrom('Allow', 'Deny'), fc.jsonValue()),
                Action: fc.oneof(action, fc.jsonValue()),
                Resource: fc.oneof(resource, fc.jsonValue()),
                Principal: fc.oneof(fc.record({ RAM: fc.jsonValue() }), fc.jsonValue()),
                Condition: fc.oneof(
                  fc.dictionary(
                    fc.constantFrom('IpAddress', 'DateEquals', 'Bool', 'toString', '__proto__'),
                    fc.jsonValue(),
                  ),
                  fc.jsonValue(),
                ),
              },
              { requiredKeys: [] },
            ),
          ),
        ),
      },
      { requiredKeys: [] },
    )
    .map((document) => JSON.stringify(document)),
);

test('reading throws nothing but the refusal, and what is read decides without throwing', () => {
  fc.assert(
    fc.property(nearly, fc.integer({ min: 0, max: 40 }), request, (text, cut, asked) => {
      for (const candidate of [text, text.slice(0, -cut)]) {
        for (const read of [readPolicy, readTrustPolicy]) {
          try {
            const document = read(candidate);
            if (read === readPolicy) {
              evaluate([{ name: 'p', source: 'custom', document: readPolicy(candidate) }], asked);
            } else assert.ok(document.statements.length > 0);
          } catch (error) {
            assert.ok(error instanceof TidemillError && error.code === 'MalformedPolicyDocument', String(error));
          }
        }
      }
    }),
    { numRuns: 3_000 },
  );
});
