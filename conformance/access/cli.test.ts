import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { failsWith, World } from '../fc/world.ts';
import { connect, environmentOf, type Platform } from '../start.ts';
import { type Keys, newName, policyOf, stsOf } from './identity-world.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'tidemill.mjs');

let platform: Platform;
let folder: string;
before(async () => {
  platform = await connect();
  folder = await mkdtemp(join(tmpdir(), 'tidemill-access-cli-'));
});
after(async () => {
  await platform.close();
  await rm(folder, { recursive: true, force: true });
});

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly json: Record<string, never>;
}

/** One command line, as somebody. */
function tidemill(args: readonly string[], keys: Keys = platform): Promise<Said> {
  const env = {
    ...{ PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' },
    ...environmentOf({ ...platform, ...keys }),
    ...(keys.securityToken === undefined ? {} : { TIDEMILL_SECURITY_TOKEN: keys.securityToken }),
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args, '--json'], { env }, (error, stdout) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, stdout, json: (stdout.trim() === '' ? {} : JSON.parse(stdout)) as Said['json'] });
    });
  });
}

async function done<T>(args: readonly string[], keys?: Keys): Promise<T> {
  const said = await tidemill(args, keys);
  assert.equal(said.code, 0, said.stdout);
  return said.json as T;
}

test('an account, a user of it, a key, a policy, a role: from the command line alone', {
  timeout: 120_000,
}, async () => {
  const made = await done<{ account: { account: string }; key: Keys }>(['account', 'create', newName('cli')]);
  const { key: root } = made;
  const id = made.account.account;
  const list = await done<{ accounts: { account: string }[] }>(['account', 'ls']);
  assert.ok(list.accounts.some((one) => one.account === id));
  await done(['account', 'quota', id, 'functions=2', 'memoryMb=1024']);
  const shown = await done<{ quotas: Record<string, number> }>(['account', 'show'], root);
  assert.deepEqual([shown.quotas['functions'], shown.quotas['memoryMb']], [2, 1024]);

  await done(['user', 'create', 'ann', '--display-name', 'Ann'], root);
  const key = await done<{ AccessKeyId: string; AccessKeySecret: string }>(['key', 'create', 'ann'], root);
  const ann = { accessKeyId: key.AccessKeyId, accessKeySecret: key.AccessKeySecret };
  assert.equal((await tidemill(['functions'], ann)).code, 1);
  const file = join(folder, 'policy.json');
  await writeFile(file, policyOf('Allow', ['fc:ListFunctions', 'sts:AssumeRole'], ['*']));
  await done(['policy', 'put', 'list', file], root);
  await done(['policy', 'attach', 'list', '--user', 'ann'], root);
  assert.deepEqual(await done(['functions'], ann), { functions: [] });
  await writeFile(file, policyOf('Deny', ['fc:*'], ['*']));
  assert.deepEqual(await done(['policy', 'put', 'list', file], root), { policy: 'list', version: 'v2' });
  assert.equal((await tidemill(['functions'], ann)).code, 1);
  const user = await done<{ policies: { PolicyName: string }[]; keys: unknown[] }>(['user', 'show', 'ann'], root);
  assert.deepEqual([user.policies[0]?.PolicyName, user.keys.length], ['list', 1]);

  await done(['role', 'create', 'worker', '--functions', '--account', id], root);
  await done(['policy', 'attach', 'AliyunFCReadOnlyAccess', '--role', 'worker'], root);
  await writeFile(file, policyOf('Allow', ['sts:AssumeRole'], ['*']));
  await done(['policy', 'put', 'list', file], root);
  const got = await done<{ AccessKeyId: string; AccessKeySecret: string; SecurityToken: string }>(
    ['role', 'assume', 'worker', '--session', 'ci', '--duration', '900'],
    ann,
  );
  const session = {
    ...{ accessKeyId: got.AccessKeyId, accessKeySecret: got.AccessKeySecret },
    securityToken: got.SecurityToken,
  };
  assert.deepEqual(await done(['functions'], session), { functions: [] });
  await done(['role', 'revoke', 'worker'], root);
  await assert.rejects(stsOf(platform, session).getCallerIdentity(), failsWith('InvalidAccessKeyId.NotFound', 404));

  await done(['key', 'disable', ann.accessKeyId, 'ann'], root);
  assert.equal((await tidemill(['functions'], ann)).code, 1);
  await done(['key', 'delete', ann.accessKeyId, 'ann'], root);
  await done(['policy', 'detach', 'list', '--user', 'ann'], root);
  await done(['user', 'delete', 'ann'], root);
  await done(['policy', 'delete', 'list'], root);
  await done(['policy', 'detach', 'AliyunFCReadOnlyAccess', '--role', 'worker'], root);
  await done(['role', 'delete', 'worker'], root);
  assert.equal((await tidemill(['account', 'ls'], root)).code, 1);
  await done(['account', 'delete', id]);
  assert.equal((await tidemill(['functions'], root)).code, 1);
});

test('role: auto of a manifest is a role that is made once', { timeout: 120_000 }, async () => {
  const world = await World.open({ ...platform, close: async () => {} });
  const functionName = world.name('auto');
  await writeFile(
    join(folder, 'index.js'),
    'exports.handler = async (event, context) => JSON.stringify(Object.keys(context.credentials));',
  );
  await writeFile(
    join(folder, 's.yaml'),
    `edition: 3.0.0
name: auto
access: default
resources:
  f:
    component: fc3
    props:
      functionName: ${functionName}
      runtime: nodejs20
      handler: index.handler
      memorySize: 256
      cpu: 0.25
      role: auto
      code: .
`,
  );
  for (let time = 0; time < 2; time++) await done(['deploy', folder]);
  const { body } = await world.client.getFunction(functionName, { validate() {} } as never);
  assert.match(body?.role ?? '', /^acs:ram::\d{16}:role\/tidemill-auto$/);
  assert.match((await world.invoke(functionName)).text, /accessKeyId/i);
  await world.close();
});
