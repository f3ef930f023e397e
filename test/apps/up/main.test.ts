import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const MAIN = fileURLToPath(new URL('../../../src/apps/up/main.ts', import.meta.url));

function up(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('a wrong option is told to people on stderr', () => {
  const { status, stdout, stderr } = up('--port', 'x');
  assert.deepEqual([status, stdout], [2, '']);
  assert.match(stderr, /^tidemill up: --port x: /);
});

test('with --json it is one document on stdout', () => {
  const { status, stdout, stderr } = up('--port', 'x', '--json');
  assert.equal(status, 2);
  assert.equal(stderr.includes('tidemill up'), false);
  const { error } = JSON.parse(stdout) as { error: Record<string, unknown> };
  assert.deepEqual([error['code'], error['culprit']], ['Usage', 'caller']);
  assert.match(String(error['message']), /--port x/);
});

test('beyond this machine nothing is served without TLS', () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1']) {
    const { status, stdout, stderr } = up('--host', host, '--data', '/nonexistent/data');
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, /listening beyond this machine needs TLS: give --tls-cert and --tls-key/);
  }
  const unreadable = up('--host', '0.0.0.0', '--tls-cert', '/nonexistent/a', '--tls-key', '/nonexistent/b');
  assert.equal(unreadable.status, 2);
  assert.match(unreadable.stderr, /cannot read \/nonexistent\/a: ENOENT/);
});
