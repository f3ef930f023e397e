import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openInstallation } from '../../../src/adapters/installation-file/index.ts';
import { temporaryFolder } from '../../adapters/temporary-folder.ts';

const MAIN = join(import.meta.dirname, '../../../src/apps/up/main.ts');

function up(...args: string[]): { status: number | null; stderr: string } {
  const options = ['--disable-warning=ExperimentalWarning', MAIN, '--port', '0', ...args];
  return spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 60_000 });
}

test('a folder made for one region is not served as another', async (context) => {
  const data = await temporaryFolder(context);
  openInstallation(data, 'here');
  const { status, stderr } = up('--data', data, '--region', 'there');
  assert.match(stderr, /--region there: .* was made for region here/);
  assert.equal(status, 2);
});

test('a damaged installation file is named, and not made anew', async (context) => {
  const data = await temporaryFolder(context);
  writeFileSync(join(data, 'installation.json'), '{"half');
  const { status, stderr } = up('--data', data);
  assert.match(stderr, /installation\.json is damaged/);
  assert.equal(status, 1);
});
