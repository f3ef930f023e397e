import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { models } from '../fc/world.ts';
import { Installation, until } from '../restart/installation.ts';
import { User } from '../restart/user.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'tidemill.mjs');
const SECRET = 'nobody-may-read-this-on-the-disk';
const CODE = 'nobody-may-read-this-code-either';
const ANSWERS = { 'index.js': `exports.handler = async () => process.env.WORD; // ${CODE}` };

const execute = promisify(execFile);

let installation: Installation;
let user: User;

before(async () => {
  installation = await Installation.serving();
  user = new User(() => installation.platform);
  await user.deploy('keeps', ANSWERS, { environmentVariables: { WORD: SECRET } });
});
after(() => installation.close());

interface Report {
  readonly keys: readonly { readonly id: string; readonly current: boolean; readonly dataKeys: number }[];
  readonly retired?: readonly string[];
}

async function masterKey(action: string): Promise<Report> {
  const args = [PROGRAM, 'master-key', action, '--data', installation.data, '--json'];
  const { stdout } = await execute(process.execPath, args);
  return JSON.parse(stdout) as Report;
}

/** Files of the data folder that hold the text somewhere, but for the disks of instances, which go with them. */
function holding(text: string): string[] {
  const args = ['--recursive', '--files-with-matches', '--text', '--fixed-strings', '--exclude-dir=disks'];
  // Unpacked code is shown to root by a mount. Its image, mostly a hole of many GB, has a test of its own that reads it.
  args.push('--exclude-dir=sealed', '--exclude=code.img');
  const { status, stdout } = spawnSync('grep', [...args, text, installation.data], { encoding: 'utf8' });
  assert.ok(status === 0 || status === 1, `grep ended with ${status}`);
  return stdout.split('\n').filter((name) => name !== '');
}

test('a function reads its environment, and no file of the data folder has it in the clear', async () => {
  assert.match((await user.call('keeps', 0)).text, new RegExp(SECRET));
  assert.deepEqual(holding(SECRET), []);
  assert.deepEqual(holding(CODE), []);
});

test('the master key is rotated while the platform serves, the old one is taken out, and all is there after a restart', async () => {
  const [before] = (await masterKey('show')).keys;
  const calls = Array.from({ length: 20 }, () => user.call('keeps', 0));
  const rotated = await masterKey('rotate');
  assert.deepEqual([...new Set((await Promise.all(calls)).map(({ status }) => status))], [200]);
  assert.deepEqual(
    rotated.keys.map(({ current, dataKeys }) => [current, dataKeys > 0]),
    [
      [true, true],
      [false, false],
    ],
  );
  assert.deepEqual((await masterKey('retire')).retired, [before?.id]);
  await installation.end('SIGTERM');
  await installation.start();
  assert.match((await user.call('keeps', 0)).text, new RegExp(SECRET));
  await user.client.updateFunction('keeps', new models.UpdateFunctionRequest({ body: { description: 'later' } }));
});

test('a master key that others may read keeps the platform from starting, and it says why', async () => {
  const file = join(installation.data, 'master.key');
  await installation.end('SIGTERM');
  chmodSync(file, 0o644);
  const { code, said } = await installation.startAnother();
  assert.equal(code, 1);
  assert.match(said, /others may read .*master\.key: chmod 600 it/);
  chmodSync(file, 0o600);
  await installation.start();
  await until('it serves again', async () => (await user.call('keeps', 0)).status === 200);
});
