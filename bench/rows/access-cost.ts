import type { Principal } from '../../src/core/domain/credentials.ts';
import { rootPrincipal } from '../../src/core/domain/credentials.ts';
import type { AttachedPolicy } from '../../src/core/domain/policy/document.ts';
import { AccessDecisions, readPolicy } from '../../src/services/access/index.ts';

const ACCOUNT = '1234567890123456';
const CALLS = 1_000_000;
const ROUNDS = 7;
const RESOURCES = Array.from({ length: 100 }, (_, i) => `acs:fc:local:${ACCOUNT}:functions/f-${i}`);

function policyWith(condition: object): AttachedPolicy {
  const Statement = [
    { Effect: 'Allow', Action: 'fc:InvokeFunction', Resource: 'acs:fc:*:*:functions/f*', ...condition },
    { Effect: 'Deny', Action: 'oss:*', Resource: '*' },
  ];
  return { name: 'p', source: 'custom', document: readPolicy(JSON.stringify({ Version: '1', Statement })) };
}

function user(name: string): Principal {
  return { account: ACCOUNT, kind: 'user', arn: `acs:ram::${ACCOUNT}:user/${name}`, name };
}

const plain = user('plain');
const bound = user('bound');
const policies = new Map([
  [plain, policyWith({})],
  [bound, policyWith({ Condition: { IpAddress: { 'acs:SourceIp': '127.0.0.0/8' } } })],
]);
const access = new AccessDecisions(
  {
    policiesOf: (principal) => [policies.get(principal) ?? policyWith({})],
    onChange: () => ({ dispose() {} }),
  },
  { now: Date.now },
);

/** Nanoseconds of processor time that one decision takes, the loop around it taken off. */
function cost(principal: Principal): number {
  const context = new Map([['acs:sourceip', '127.0.0.1']]);
  const decided = medianOf(() => {
    for (let i = 0; i < CALLS; i++) access.check(principal, 'fc:InvokeFunction', RESOURCES[i % 100] ?? '', context);
  });
  let letters = 0;
  const around = medianOf(() => {
    for (let i = 0; i < CALLS; i++) letters += (RESOURCES[i % 100] ?? '').length;
  });
  if (letters === 0) throw new Error('the loop did nothing');
  return decided - around;
}

function medianOf(work: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const begun = process.cpuUsage();
    work();
    const { user: spent, system } = process.cpuUsage(begun);
    return ((spent + system) * 1_000) / CALLS;
  });
  return rounds.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

for (const [who, principal] of [
  ['root', rootPrincipal(ACCOUNT)],
  ['a user', plain],
  ['a user bound to an address', bound],
] as const) {
  process.stdout.write(`${who}: ${cost(principal).toFixed(0)} ns a decision\n`);
}
