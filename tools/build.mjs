// Compiles src to dist. The compiler is a native program, so the whole tree takes about a second. The new build takes the old
// one's place only when it is complete, so that a failed build breaks nothing and a program started meanwhile finds all its files.
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const next = join(root, `dist.next-${process.pid}`);
const old = join(root, `dist.old-${process.pid}`);
const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json', '--outDir', next], {
  cwd: root,
  stdio: 'inherit',
});
if (status === 0) {
  writeFileSync(join(next, '.built'), '');
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(next, dist);
}
rmSync(next, { recursive: true, force: true });
rmSync(old, { recursive: true, force: true });
process.exitCode = status ?? 1;
