import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { clientOf, models } from '../fc/world.ts';
import { Installation } from '../restart/installation.ts';
import { User } from '../restart/user.ts';

interface AuditRecord {
  readonly requestId: string;
  readonly principal: string;
  readonly accessKeyId: string;
  readonly sourceIp: string;
  readonly action: string;
  readonly resource: string;
  readonly outcome: 'done' | 'failed' | 'denied';
  readonly code: string;
  readonly count: number;
}

const execute = promisify(execFile);
const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'tidemill.mjs');

let installation: Installation;
let user: User;

before(async () => {
  installation = await Installation.serving();
  user = new User(() => installation.platform);
  await user.deploy('echo', { 'index.js': 'exports.handler = async (event) => event;' });
});
after(() => installation.close());

async function tidemill<T>(...args: readonly string[]): Promise<T> {
  const { endpoint, objectsEndpoint, accessKeyId, accessKeySecret } = installation.platform;
  const env = {
    PATH: process.env.PATH,
    TIDEMILL_ENDPOINT: endpoint,
    TIDEMILL_OBJECTS_ENDPOINT: objectsEndpoint,
    TIDEMILL_ACCESS_KEY_ID: accessKeyId,
    TIDEMILL_ACCESS_KEY_SECRET: accessKeySecret,
  };
  const { stdout } = await execute(process.execPath, [PROGRAM, ...args, '--json'], { env }).catch(
    (error: { stdout: string }) => error,
  );
  return JSON.parse(stdout) as T;
}

async function records(): Promise<readonly AuditRecord[]> {
  return (await tidemill<{ records: readonly AuditRecord[] }>('audit', 'list', '--limit', '1000')).records;
}

test('control calls are on record with who, what and outcome, as soon as they are answered; calls of functions are not', async () => {
  await assert.rejects(user.client.getFunction('none', new models.GetFunctionRequest({})));
  assert.equal((await user.call('echo', 1)).status, 200);
  const found = await records();
  const created = found.find(({ action }) => action === 'fc:CreateFunction');
  assert.equal(created?.outcome, 'done');
  assert.match(created.resource, /:functions\/echo$/);
  assert.match(created.principal, /^acs:ram::\d{16}:root$/);
  assert.equal(created.accessKeyId, installation.platform.accessKeyId);
  assert.equal(created.sourceIp, '127.0.0.1');
  assert.match(created.requestId, /^1-/);
  const failed = found.find(({ outcome }) => outcome === 'failed');
  assert.deepEqual([failed?.action, failed?.code], ['fc:GetFunction', 'FunctionNotFound']);
  assert.equal(
    found.some(({ action }) => action.includes('invocations') || action === 'fc:InvokeFunction'),
    false,
  );
});

test('denied calls are on record, calls of functions too; many alike are counted instead of listed', async () => {
  const stranger = clientOf(installation.platform, { accessKeySecret: 'wrong' });
  for (let tries = 0; tries < 30; tries++)
    await assert.rejects(stranger.getFunction('echo', new models.GetFunctionRequest({})));
  await assert.rejects(stranger.invokeFunction('echo', new models.InvokeFunctionRequest({})));
  const denied = (await records()).filter(({ outcome }) => outcome === 'denied');
  assert.deepEqual(
    denied.map(({ code, accessKeyId, count }) => [code, accessKeyId, count]),
    [
      ['SignatureNotMatch', installation.platform.accessKeyId, 1],
      ['SignatureNotMatch', installation.platform.accessKeyId, 1],
    ],
  );
  assert.match(denied[0]?.action ?? '', /^POST .*\/invocations$/);
  await installation.end('SIGTERM');
  await installation.start();
  assert.ok((await records()).some(({ outcome, count }) => outcome === 'denied' && count === 29));
});

test('it outlives a kill, and a record that was changed on the disk is found', async () => {
  await installation.killAll();
  await installation.end('SIGKILL').catch(() => undefined);
  await installation.start();
  assert.equal((await tidemill<{ sound: boolean }>('audit', 'verify')).sound, true);
  const folder = join(installation.data, 'audit');
  const [name = ''] = readdirSync(folder);
  const text = readFileSync(join(folder, name), 'utf8');
  writeFileSync(join(folder, name), text.replace('fc:CreateFunction', 'fc:DeleteFunction'));
  const verdict = await tidemill<{ sound: boolean; number: number }>('audit', 'verify');
  assert.equal(verdict.sound, false);
});
