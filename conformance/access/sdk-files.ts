import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { Files } from '../fc/world.ts';

const MODULES = join(import.meta.dirname, '..', '..', 'node_modules');
const SDKS = ['ali-oss', '@alicloud/fc20230330', '@alicloud/sts20150401'];

/** The unmodified SDKs of objects, functions and STS with all they need, as `node_modules` of a function. */
export function sdkFiles(): Files {
  const folders = new Set<string>();
  for (const name of SDKS) collect(name, MODULES, folders);
  const files: Record<string, Buffer> = {};
  for (const folder of folders) {
    const from = join(MODULES, folder);
    for (const path of globSync('**/*.{js,cjs,mjs,json}', { cwd: from, exclude: ['node_modules/**'] })) {
      files[`node_modules/${folder.split(sep).join('/')}/${path}`] = readFileSync(join(from, path));
    }
  }
  return files;
}

/** Adds the package, as seen from a folder, and what it depends on. */
function collect(name: string, from: string, folders: Set<string>): void {
  const place = find(name, from);
  if (place === undefined) return; // an optional one that is not installed
  const folder = place.slice(MODULES.length + 1);
  if (folders.has(folder)) return;
  folders.add(folder);
  const manifest = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8')) as {
    readonly dependencies?: Readonly<Record<string, string>>;
  };
  for (const dependency of Object.keys(manifest.dependencies ?? {})) collect(dependency, place, folders);
}

function find(name: string, from: string): string | undefined {
  for (let folder = from; folder.startsWith(MODULES); folder = dirname(folder)) {
    const place = folder === MODULES ? join(MODULES, name) : join(folder, 'node_modules', name);
    if (existsSync(join(place, 'package.json'))) return place;
  }
  return undefined;
}
