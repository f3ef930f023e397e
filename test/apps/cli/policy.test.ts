import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { command } from './command.ts';
import { FakePlatform } from './fake-platform.ts';

const dir = mkdtempSync(join(tmpdir(), 'tm-cli-policy-'));
const file = join(dir, 'p.json');
writeFileSync(file, '{"Version":"1"}');
after(() => rmSync(dir, { recursive: true, force: true }));

let fake: FakePlatform;
let env: Readonly<Record<string, string>>;
beforeEach(async () => {
  fake = new FakePlatform();
  env = await fake.open();
});
afterEach(() => fake.close());

const ASKED = ['fc:InvokeFunction', 'acs:fc:local:1:functions/f'];

test('a simulation says which statement decides, why the others do not, and exits with 0 or 1', async () => {
  const by = { policy: 'p', source: 'custom', statement: 2 };
  const considered = [
    { policy: 'p', source: 'custom', statement: 1, statementEffect: 'Deny', mismatch: 'Action does not cover it' },
    { ...by, statementEffect: 'Allow' },
  ];
  fake.answers.set('SimulatePolicy', { body: { effect: 'allow', by, reason: 'it is allowed', considered } });
  const allowed = await command(['policy', 'simulate', ...ASKED, '-p', 'user/alice'], env);
  assert.equal(allowed.code, 0, allowed.stderr);
  assert.match(allowed.stdout, /^allow: it is allowed\n/);
  assert.match(allowed.stdout, /p +custom +1 +Deny +Action does not cover it\n/);
  assert.match(allowed.stdout, /p +custom +2 +Allow +matches/);
  fake.answers.set('SimulatePolicy', { body: { effect: 'implicit-deny', reason: 'no policy', considered: [] } });
  const args = [
    'policy',
    'simulate',
    ...ASKED,
    '--policy',
    file,
    '--policy',
    file,
    '-c',
    'acs:SourceIp=10.0.0.1=x',
    '--json',
  ];
  const denied = await command([...args, '--session', file], env);
  assert.deepEqual(
    [denied.code, JSON.parse(denied.stdout)],
    [1, { effect: 'implicit-deny', reason: 'no policy', considered: [] }],
  );
  const document = '{"Version":"1"}';
  assert.deepEqual(fake.requests[1]?.body, {
    policies: [
      { name: 'p.json', document },
      { name: 'p.json', document },
    ],
    session: document,
    action: ASKED[0],
    resource: ASKED[1],
    context: { 'acs:SourceIp': '10.0.0.1=x' },
  });
});

test('what is not said is asked for', async () => {
  for (const args of [[], ['--policy', join(dir, 'none.json')], ['-p', 'root', '-c', 'acs:SourceIp']]) {
    const { code } = await command(['policy', 'simulate', ...ASKED, ...args], env);
    assert.equal(code, 2, args.join(' '));
  }
  assert.equal(fake.requests.length, 0);
});
