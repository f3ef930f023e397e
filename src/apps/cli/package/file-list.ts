import { readFileSync } from 'node:fs';
import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { usage } from '../failure.ts';

/** One entry of a package. `path` has forward slashes and no leading one. */
export type PackageEntry =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly source: string;
      readonly mode: number;
      readonly size: number;
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'folder'; readonly path: string };

/** Never part of a package: other tools' and our own state, and the manifest at the top. node_modules is code and stays. */
const ALWAYS_IGNORED = ['.git', '.svn', '.hg', '.s', '.tidemill', '.fcignore', '.DS_Store', '/s.yaml', '/s.yml'];

/** True for paths (relative, forward slashes; folders end with a slash) that a package of `folder` leaves out. */
export function ignoreRules(folder: string): (path: string) => boolean {
  const rules: Ignore = ignore().add(ALWAYS_IGNORED);
  try {
    rules.add(readFileSync(join(folder, '.fcignore'), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return (path) => rules.ignores(path);
}

/**
 * What a package of `folder` holds, sorted by path so that the same tree gives the same package everywhere. Links inside the folder stay
 * links; what a link outside of it points at is packed in its place (workspaces link their packages so). Throws a usage Failure for a
 * link that leads nowhere and for special files.
 */
export async function listPackage(folder: string): Promise<readonly PackageEntry[]> {
  const root = await realpath(resolve(folder));
  const found: PackageEntry[] = [];
  await walk({ root, ignored: ignoreRules(root), found }, root, '', [root]);
  return found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

interface Walk {
  readonly root: string;
  readonly ignored: (path: string) => boolean;
  readonly found: PackageEntry[];
}

async function walk(state: Walk, folder: string, prefix: string, above: readonly string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  if (entries.length === 0 && prefix !== '') state.found.push({ kind: 'folder', path: prefix });
  for (const entry of entries) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    const source = join(folder, entry.name);
    if (state.ignored(entry.isDirectory() ? `${path}/` : path)) continue;
    if (entry.isDirectory()) await walk(state, source, path, above);
    else if (entry.isSymbolicLink()) await addLink(state, source, path, above);
    else await addFile(state, source, path);
  }
}

async function addFile(state: Walk, source: string, path: string): Promise<void> {
  const { mode, size } = await stat(source);
  if ((mode & 0o170000) !== 0o100000) {
    throw usage(`${path} is a device, pipe or socket`, 'Leave it out with a line in .fcignore.');
  }
  state.found.push({ kind: 'file', path, source, mode: mode & 0o777, size });
}

async function addLink(state: Walk, source: string, path: string, above: readonly string[]): Promise<void> {
  const target = await readlink(source);
  let real: string;
  try {
    real = await realpath(source);
  } catch {
    throw usage(`the link ${path} -> ${target} leads nowhere`, 'Repair it, or leave it out with a line in .fcignore.');
  }
  const inside = real === state.root || real.startsWith(state.root + sep);
  if (inside && !target.startsWith('/') && staysInside(state.root, source, target)) {
    const plain = relative(dirname(source), resolve(dirname(source), target))
      .split(sep)
      .join('/');
    state.found.push({ kind: 'link', path, target: plain === '' ? '.' : plain });
    return;
  }
  if (!(await lstat(real)).isDirectory()) {
    await addFile(state, real, path);
    return;
  }
  if (above.includes(real))
    throw usage(`the link ${path} leads round in a circle`, 'Leave it out with a line in .fcignore.');
  await walk(state, real, path, [...above, real]);
}

function staysInside(root: string, source: string, target: string): boolean {
  const end = resolve(dirname(source), target);
  return source.startsWith(root + sep) && (end === root || end.startsWith(root + sep));
}
