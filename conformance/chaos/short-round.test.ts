import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'bin/tidemill.mjs');
const SEED = process.env['TIDEMILL_TEST_SEED'] ?? '7';

interface Summary {
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  readonly leftOut: readonly { readonly fault: string; readonly why: string }[];
}

/** `tidemill chaos` as a user runs it. */
async function chaos(...args: readonly string[]): Promise<{ code: number; summary: Summary; said: string }> {
  const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
  const child = spawn(process.execPath, [PROGRAM, 'chaos', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  });
  const gone = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)));
  const [out, said, code] = await Promise.all([text(child.stdout), text(child.stderr), gone]);
  const summary = JSON.parse(out) as Summary;
  assert.ok(Array.isArray(summary.violations), `${out}\n${said}`);
  return { code, summary, said };
}

test(`a short round with every fault that this host allows (seed ${SEED}) breaks no promise`, async (t) => {
  const { code, summary } = await chaos('--seconds', '20', '--seed', SEED);
  t.diagnostic(JSON.stringify({ ...summary.counts, ...summary.faults }));
  for (const { fault, why } of summary.leftOut) t.diagnostic(`left out: ${fault}, which ${why}`);
  assert.deepEqual(summary.violations, []);
  assert.equal(code, 0);
  assert.ok((summary.counts['event ok'] ?? 0) > 50, 'events were accepted');
  assert.ok(Object.keys(summary.faults).length > 1, 'faults happened');
});

/** A copy of this build in which events are acknowledged before they are on disk. */
async function plantEarlyAcknowledgement(folder: string): Promise<string> {
  for (const part of ['dist', 'bin', 'package.json'])
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  for (const part of ['node_modules', 'runtimes']) await symlink(join(ROOT, part), join(folder, part));
  const path = join(folder, 'dist/services/dispatch/dispatch.js');
  const code = await readFile(path, 'utf8');
  const planted = code.replace(
    /const \[accepted\] = await queue\.enqueue\(\[event\]\);/,
    "const accepted = 'accepted'; queue.enqueue([event]).catch(() => {});",
  );
  assert.notEqual(planted, code, 'there is something to plant the bug in');
  await writeFile(path, planted);
  return join(folder, 'bin/tidemill.mjs');
}

test('a planted bug, acknowledging before the event is on disk, is found', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-planted-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const program = `${process.execPath} ${await plantEarlyAcknowledgement(folder)}`;
  const faults = ['--faults', 'fsync-fails,disk-full,kill-server'];
  const { code, summary } = await chaos(
    '--seconds',
    '15',
    '--seed',
    '1',
    '--settle',
    '10',
    '--program',
    program,
    ...faults,
  );
  assert.equal(code, 1);
  assert.ok(
    summary.violations.some((line) => /was accepted and has no end: it is lost/.test(line)),
    summary.violations.join('\n'),
  );
});
