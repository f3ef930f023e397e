import assert from 'node:assert/strict';
import { execFileSync, type StdioOptions } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

test('the package has what it needs to run, and no binary or compiled file of this machine', () => {
  const options = { cwd: ROOT, encoding: 'utf8' as const, stdio: ['ignore', 'pipe', 'ignore'] satisfies StdioOptions };
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json'], options)) as {
    files: { path: string; size: number }[];
  }[];
  const paths = packed?.files.map(({ path }) => path) ?? [];
  const needed = [
    'bin/tidemill.mjs',
    'tools/setup.sh',
    'tools/with-node.sh',
    'runtimes/node/shim.cjs',
    'runtimes/python/shim.py',
    'runtimes/python/tidemill_runtime/runtime.py',
    ...['20', '22', '24'].flatMap((v) =>
      ['package.json', 'package-lock.json'].map((name) => `runtimes/node/versions/${v}/${name}`),
    ),
    'docs/ARCHITECTURE.md',
    'LICENSE',
  ];
  assert.deepEqual(
    needed.filter((path) => !paths.includes(path)),
    [],
  );
  assert.ok(paths.some((path) => path.startsWith('examples/video-transcode/')));
  assert.deepEqual(
    paths.filter((path) => /node_modules|__pycache__|\.pyc$|^src\/|^test\//.test(path)),
    [],
  );
  const bytes = packed?.files.reduce((sum, { size }) => sum + size, 0) ?? 0;
  assert.ok(bytes > 100_000 && bytes < 20_000_000, `${bytes} bytes`);
});
