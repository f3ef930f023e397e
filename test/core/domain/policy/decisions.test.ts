import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consider, evaluate } from '../../../../src/core/domain/policy/evaluate.ts';
import type { AttachedPolicy } from '../../../../src/core/domain/policy/document.ts';
import { readPolicy } from '../../../../src/services/access/index.ts';
import type { DecisionCase, RawStatement } from './case.ts';
import { CONDITIONS } from './conditions.cases.ts';
import { EFFECTS } from './effects.cases.ts';
import { EXAMPLES } from './examples.cases.ts';

const ALL: readonly DecisionCase[] = [...EFFECTS, ...CONDITIONS, ...EXAMPLES];

function policyOf(source: 'custom' | 'session', statements: readonly RawStatement[]): AttachedPolicy {
  return { name: source, source, document: readPolicy(JSON.stringify({ Version: '1', Statement: statements })) };
}

function policiesOf({ statements, session }: DecisionCase): readonly AttachedPolicy[] {
  return [policyOf('custom', statements), ...(session === undefined ? [] : [policyOf('session', session)])];
}

test('there are at least 200 decision cases, each with the rule that it comes from', () => {
  assert.ok(ALL.length >= 200, `${ALL.length}`);
  assert.ok(ALL.every(({ rule }) => /^(ours|[A-Z]\w+[\w ]*): \S/.test(rule)));
});

for (const each of ALL) {
  const { rule, action, resource, expect } = each;
  const context = new Map(Object.entries(each.context ?? {}));
  const described = `${rule}: ${action} on ${resource} ${JSON.stringify(each.context ?? {})}`;
  test(`${described} is ${expect}`, () => {
    const request = { action, resource, context };
    const policies = policiesOf(each);
    const decision = evaluate(policies, request);
    assert.equal(decision.effect, expect, decision.reason);
    // the explanation agrees with the decision: what decided matched, and of an implicit deny nothing tells otherwise
    const considered = consider(policies, request);
    const matched = considered.filter(({ mismatch }) => mismatch === undefined);
    if (decision.effect === 'implicit-deny') {
      assert.ok(matched.every(({ statementEffect }) => statementEffect === 'Allow'));
      assert.ok(matched.length === 0 || each.session !== undefined);
    } else if (decision.by !== undefined) {
      const { policy, statement } = decision.by;
      assert.ok(matched.some((one) => one.policy === policy && one.statement === statement));
    }
  });
}
