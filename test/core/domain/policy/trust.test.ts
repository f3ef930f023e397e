import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Trusted, trusts } from '../../../../src/core/domain/policy/trust.ts';
import { readTrustPolicy } from '../../../../src/services/access/index.ts';

const FC: Trusted = { kind: 'service', service: 'fc.aliyuncs.com' };
const ALICE: Trusted = { kind: 'ram', account: '1', arn: 'acs:ram::1:user/alice' };
const BOB: Trusted = { kind: 'ram', account: '1', arn: 'acs:ram::1:user/bob' };
const STRANGER: Trusted = { kind: 'ram', account: '2', arn: 'acs:ram::2:user/alice' };
const ROLE: Trusted = { kind: 'ram', account: '1', arn: 'acs:ram::1:role/worker' };

function trustedBy(statements: readonly object[], context: Readonly<Record<string, string>> = {}) {
  const policy = readTrustPolicy(JSON.stringify({ Version: '1', Statement: statements }));
  return (who: Trusted): boolean => trusts(policy, who, new Map(Object.entries(context)));
}

const statement = (principal: object, rest: object = {}) => ({
  Effect: 'Allow',
  Action: 'sts:AssumeRole',
  Principal: principal,
  ...rest,
});

test('a service is trusted by its name', () => {
  const by = trustedBy([statement({ Service: ['fc.aliyuncs.com', 'oss.aliyuncs.com'] })]);
  assert.deepEqual([FC, { kind: 'service', service: 'ecs.aliyuncs.com' } as const, ALICE].map(by), [
    true,
    false,
    false,
  ]);
});

test('an account stands for everybody in it, a user or role for itself', () => {
  const all = [ALICE, BOB, STRANGER, ROLE, FC];
  assert.deepEqual(all.map(trustedBy([statement({ RAM: 'acs:ram::1:root' })])), [true, true, false, true, false]);
  assert.deepEqual(all.map(trustedBy([statement({ RAM: 'acs:ram::1:user/alice' })])), [
    true,
    false,
    false,
    false,
    false,
  ]);
  assert.deepEqual(all.map(trustedBy([statement({ RAM: 'acs:ram::1:role/worker' })])), [
    false,
    false,
    false,
    true,
    false,
  ]);
});

test('a Deny wins, other actions do not count, conditions hold', () => {
  const denied = trustedBy([
    statement({ RAM: 'acs:ram::1:root' }),
    statement({ RAM: 'acs:ram::1:user/bob' }, { Effect: 'Deny' }),
  ]);
  assert.deepEqual([ALICE, BOB].map(denied), [true, false]);
  assert.equal(trustedBy([statement({ RAM: 'acs:ram::1:root' }, { Action: 'sts:Other' })])(ALICE), false);
  const office = [
    statement({ RAM: 'acs:ram::1:root' }, { Condition: { IpAddress: { 'acs:SourceIp': '10.0.0.0/8' } } }),
  ];
  assert.equal(trustedBy(office, { 'acs:sourceip': '10.0.0.1' })(ALICE), true);
  assert.equal(trustedBy(office, { 'acs:sourceip': '11.0.0.1' })(ALICE), false);
  assert.equal(trustedBy(office)(ALICE), false);
});
