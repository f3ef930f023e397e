import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { packFolder } from '../../../src/apps/cli/package/zip.ts';
import { command } from './command.ts';
import { FakePlatform, refusal } from './fake-platform.ts';

let fake: FakePlatform;
let env: Readonly<Record<string, string>>;
let folder: string;

const FUNCTION = {
  functionName: 'hello',
  functionArn: 'acs:fc:local:1234567890123456:functions/hello',
  runtime: 'nodejs24',
  handler: 'index.handler',
  memorySize: 512,
  codeSize: 10,
  codeChecksum: '1',
};
const NOT_FOUND = refusal('FunctionNotFound', 404, "function 'hello' does not exist. Create it.", 'caller');

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hello-'));
  writeFileSync(join(folder, 'index.js'), 'exports.handler = async () => "hi";\n');
  fake = new FakePlatform();
  env = await fake.open();
  fake.answers.set('GetFunction', NOT_FOUND);
  fake.answers.set('CreateFunction', { body: FUNCTION });
  fake.answers.set('UpdateFunction', { body: FUNCTION });
  fake.answers.set('WarmFunction', { body: { ok: true } });
  fake.answers.set('ListTriggers', { body: { triggers: [] } });
});

afterEach(async () => {
  await fake.close();
  rmSync(folder, { recursive: true });
});

test('deploy creates what is new, gives it a URL and starts an instance', async () => {
  const { code, stdout, stderr } = await command(
    ['deploy', folder, '--name', 'hello', '--env', 'A=1=2', '--memory', '256', '--json'],
    env,
  );
  assert.equal(code, 0, stderr);
  assert.deepEqual(fake.actions(), [
    'GetFunction',
    'CreateFunction',
    'ListTriggers',
    'CreateTrigger',
    'WarmFunction',
    'ListTriggers',
  ]);
  const body = fake.bodyOf('CreateFunction');
  const expected = await packFolder(folder);
  assert.deepEqual(body, {
    functionName: 'hello',
    runtime: 'nodejs24',
    handler: 'index.handler',
    memorySize: 256,
    environmentVariables: { A: '1=2' },
    code: { zipFile: expected.bytes.toString('base64'), checksum: expected.checksum },
  });
  assert.match(String(fake.bodyOf('CreateTrigger')['triggerConfig']), /"anonymous"/);
  const answer = JSON.parse(stdout) as { functions: { created: boolean; uploaded: boolean }[] };
  assert.deepEqual([answer.functions[0]?.created, answer.functions[0]?.uploaded], [true, true]);
});

test('deploy of the same code uploads nothing and changes only what flags name', async () => {
  const { checksum } = await packFolder(folder);
  fake.answers.set('GetFunction', { body: { ...FUNCTION, codeChecksum: checksum } });
  const { code, stderr } = await command(['deploy', folder, '--name', 'hello', '--no-http', '--timeout', '9'], env);
  assert.equal(code, 0, stderr);
  assert.deepEqual(fake.actions(), ['GetFunction', 'UpdateFunction', 'WarmFunction', 'ListTriggers']);
  assert.deepEqual(fake.bodyOf('UpdateFunction'), { timeout: 9 });
});

test('a folder that changed its language changes runtime and handler', async () => {
  fake.answers.set('GetFunction', { body: { ...FUNCTION, runtime: 'python3.10' } });
  await command(['deploy', folder, '--name', 'hello'], env);
  assert.equal(fake.bodyOf('UpdateFunction')['runtime'], 'nodejs24');
});

test('a load error is shown with its payload and start log, exit code 1', async () => {
  fake.answers.set('WarmFunction', {
    body: {
      ok: false,
      kind: 'load',
      message: 'Unexpected end of input',
      error: { errorType: 'SyntaxError' },
      startLog: 'load code\n',
    },
  });
  const people = await command(['deploy', folder, '--name', 'hello'], env);
  assert.equal(people.code, 1);
  assert.match(
    people.stderr,
    /Unexpected end of input[\s\S]*SyntaxError[\s\S]*load code[\s\S]*the function's own code/,
  );
  const programs = await command(['deploy', folder, '--name', 'hello', '--json'], env);
  assert.equal(programs.code, 1);
  const { error } = JSON.parse(programs.stdout) as { error: { code: string; culprit: string; details: unknown } };
  assert.deepEqual([error.code, error.culprit], ['LoadError', 'function']);
  assert.equal(programs.stderr, '');
});

test('a manifest beside the code is used when no flag says otherwise; notes come with the answer', async () => {
  writeFileSync(
    join(folder, 's.yaml'),
    `edition: 3.0.0
vars: {size: 128}
actions: {pre-deploy: [{run: "echo ran > made.txt"}]}
resources:
  a:
    component: fc3
    props:
      region: cn-shanghai
      functionName: hello
      runtime: nodejs24
      handler: index.handler
      code: .
      memorySize: \${vars.size}
      tags: [{key: a, value: b}]
      triggers: [{triggerName: t, triggerType: timer, triggerConfig: {cronExpression: "@every 1m", enable: true}}]
      concurrencyConfig: {reservedConcurrency: 2}
`,
  );
  const { code, stdout, stderr } = await command(['deploy', folder, '--json'], env);
  assert.equal(code, 0, stderr);
  assert.deepEqual(fake.actions().slice(0, -1), [
    'ListFunctions',
    'GetFunction',
    'CreateFunction',
    'ListTriggers',
    'CreateTrigger',
    'PutConcurrencyConfig',
    'WarmFunction',
  ]);
  assert.equal(fake.bodyOf('CreateFunction')['memorySize'], 128);
  assert.deepEqual(fake.bodyOf('CreateFunction')['tags'], [{ Key: 'a', Value: 'b' }]);
  assert.equal(fake.bodyOf('CreateTrigger')['triggerConfig'], '{"cronExpression":"@every 1m","enable":true}');
  assert.deepEqual((JSON.parse(stdout) as { notes: string[] }).notes, [
    "a: region 'cn-shanghai' is deployed to this platform, which is 'local'",
  ]);
  await command(['deploy', folder, '--memory', '256', '--name', 'flags'], env);
  assert.equal(fake.requests.findLast((request) => request.action === 'CreateFunction')?.body['functionName'], 'flags');
});

test('an existing trigger is updated; one of another type or source is made anew; tags are exactly those named', async () => {
  fake.answers.set('GetFunction', { body: FUNCTION });
  fake.answers.set('ListTriggers', {
    body: {
      triggers: [
        { triggerName: 't', triggerType: 'timer', sourceArn: '' },
        { triggerName: 'o', triggerType: 'oss', sourceArn: 'acs:oss:local::old' },
      ],
    },
  });
  fake.answers.set('ListTagResources', { body: { TagResources: [{ TagKey: 'old', TagValue: 'x' }] } });
  const path = join(folder, 's.yaml');
  writeFileSync(
    path,
    `resources: {a: {component: fc3, props: {functionName: hello, runtime: nodejs24, code: ., tags: [{key: new, value: y}], triggers: [
      {triggerName: t, triggerType: timer, triggerConfig: {cronExpression: "@every 1m"}},
      {triggerName: o, triggerType: oss, sourceArn: new, triggerConfig: {}}]}}}`,
  );
  const { code, stderr } = await command(['deploy', '-f', path], env);
  assert.equal(code, 0, stderr);
  const changes = fake.requests
    .filter(({ action }) => /Trigger$|[Tt]ag/.test(action))
    .map(({ action, path }) => `${action} ${path.split('?')[0]}`);
  assert.deepEqual(changes, [
    'ListTagResources /2023-03-30/tags-v2',
    'UntagResources /2023-03-30/tags-v2',
    'TagResources /2023-03-30/tags-v2',
    'UpdateTrigger /2023-03-30/functions/hello/triggers/t',
    'DeleteTrigger /2023-03-30/functions/hello/triggers/o',
    'CreateTrigger /2023-03-30/functions/hello/triggers',
  ]);
});

test('what the platform refuses is shown in its own words with the request id', async () => {
  fake.answers.set(
    'CreateFunction',
    refusal('NotSupported', 400, 'gpuConfig is not supported by this platform yet. Leave it out.', 'platform'),
  );
  const { code, stderr } = await command(['deploy', folder, '--name', 'hello'], env);
  assert.equal(code, 1);
  assert.match(stderr, /gpuConfig is not supported[\s\S]*the platform \(NotSupported\)[\s\S]*1-refused/);
});

test('invoke prints the payload, the log, and ends with 1 when the function failed', async () => {
  const log = Buffer.from('FC Invoke Start\r\nhello\r\n').toString('base64');
  fake.answers.set('InvokeFunction', (request) => ({
    body: `got ${String(request.body['text'])}`,
    headers: { 'x-fc-log-result': log },
  }));
  const fine = await command(['invoke', 'hello', '-e', 'x', '--log', '--qualifier', 'prod'], env);
  assert.deepEqual([fine.code, fine.stdout, fine.stderr], [0, 'got x', 'FC Invoke Start\nhello\n']);
  assert.equal(fake.requests[0]?.headers['x-fc-log-type'], 'Tail');
  assert.match(fake.requests[0]?.path ?? '', /qualifier=prod/);
  assert.equal((await command(['invoke', 'hello', '-f', '-'], env, 'from stdin')).stdout, 'got from stdin');
  fake.answers.set('InvokeFunction', {
    body: '{"errorMessage":"boo"}',
    headers: { 'x-fc-error-type': 'UnhandledInvocationError' },
  });
  const failed = await command(['invoke', 'hello', '--json'], env);
  assert.equal(failed.code, 1);
  const answer = JSON.parse(failed.stdout) as Record<string, unknown>;
  assert.deepEqual(
    [answer['payload'], answer['errorType'], answer['requestId']],
    ['{"errorMessage":"boo"}', 'UnhandledInvocationError', '1-fake'],
  );
  fake.answers.set('InvokeFunction', { status: 202, body: '', headers: { 'x-fc-async-task-id': 'task' } });
  const accepted = await command(['invoke', 'hello', '--async', '--json'], env);
  assert.equal((JSON.parse(accepted.stdout) as Record<string, unknown>)['taskId'], 'task');
});

test('an idle socket on stdin is not waited for', async () => {
  fake.answers.set('InvokeFunction', { body: 'ok' });
  // `command` leaves stdin open when it is given no input.
  assert.equal((await command(['invoke', 'hello'], env)).stdout, 'ok');
});

test('lists in pages are read to their end', async () => {
  fake.answers.set('ListFunctions', ({ path }) =>
    path.includes('nextToken')
      ? { body: { functions: [{ ...FUNCTION, functionName: 'b' }] } }
      : { body: { functions: [FUNCTION], nextToken: 'b' } },
  );
  const { stdout } = await command(['functions', '--json'], env);
  assert.deepEqual(
    (JSON.parse(stdout) as { functions: { functionName: string }[] }).functions.map((one) => one.functionName),
    ['hello', 'b'],
  );
});

test('alias set moves the alias, or makes it', async () => {
  fake.answers.set('UpdateAlias', refusal('AliasNotFound', 404, 'none', 'caller'));
  fake.answers.set('CreateAlias', { body: { aliasName: 'prod', versionId: '1', additionalVersionWeight: { 2: 0.2 } } });
  const { stdout } = await command(['alias', 'set', 'hello', 'prod', '1', '--weight', '2=0.2'], env);
  assert.equal(stdout, 'hello/prod is version 1, and 2=0.2\n');
  assert.deepEqual(fake.bodyOf('CreateAlias'), {
    aliasName: 'prod',
    versionId: '1',
    additionalVersionWeight: { 2: 0.2 },
  });
});

test('exit codes: 2 for the command line, 3 for no platform; --json says both on stdout alone', async () => {
  for (const args of [
    ['nothing'],
    ['deploy', '/nonexistent'],
    ['invoke'],
    ['deploy', folder, '--memory', 'much'],
    ['alias', 'set', 'f', 'a', '1', '--weight', 'x'],
    ['objects', 'ls'],
  ]) {
    const { code, stdout, stderr } = await command([...args, '--json'], env);
    assert.equal(code, 2, args.join(' '));
    assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'Usage');
    assert.equal(stderr, '');
  }
  const alone = await command(['functions', '--json'], { ...env, TIDEMILL_ENDPOINT: 'http://127.0.0.1:1' });
  assert.equal(alone.code, 3);
  assert.equal((JSON.parse(alone.stdout) as { error: { code: string } }).error.code, 'Unreachable');
  assert.equal((await command(['functions'], {})).code, 3);
});

test('delete -f removes what is there, last deployed first', async () => {
  const path = join(folder, 's.yaml');
  writeFileSync(
    path,
    'resources: {a: {component: fc3, props: {functionName: a}}, b: {component: fc3, props: {functionName: "b-${resources.a.props.functionName}"}}, c: {component: fc3, props: {functionName: c}}}',
  );
  fake.answers.set('GetFunction', ({ path }) => (path.endsWith('/c') ? NOT_FOUND : { body: FUNCTION }));
  const { code, stdout, stderr } = await command(['delete', '-f', path, '--json'], env);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { deleted: ['b-a', 'a'] });
});
