import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Files } from './world.ts';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** npm packages with all they depend on, as `npm install` would have put them into a function's package. */
export function packagesOf(...names: string[]): Files {
  const files: Record<string, Buffer> = {};
  const root = realpathSync(join(import.meta.dirname, '../../node_modules'));
  const seen = new Set<string>();
  const add = (name: string, from: string): void => {
    const folder = folderOf(name, from);
    if (folder === undefined || seen.has(folder)) return;
    seen.add(folder);
    for (const path of codeIn(folder)) files[join('node_modules', relative(root, path))] = readFileSync(path);
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    for (const dependency of Object.keys(dependencies)) add(dependency, folder);
  };
  for (const name of names) add(name, root);
  return files;
}

/** Looks as Node does: in the package's own folder first, then upwards. */
function folderOf(name: string, from: string): string | undefined {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const inside = folder.endsWith('node_modules') ? join(folder, name) : join(folder, 'node_modules', name);
    if (existsSync(join(inside, 'package.json'))) return inside;
  }
  return undefined;
}

function codeIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : codeIn(path);
    return /\.([cm]?js|json)$/.test(entry.name) ? [path] : [];
  });
}
