import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Finding, Gate } from './gate.ts';

/** Licences that let everybody use, change and pass on what we ship. */
const PERMISSIVE = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0']);
/** Packages that name their licence in words of their own. */
const SPELLINGS: Readonly<Record<string, string>> = { 'Apache License 2.0': 'Apache-2.0', 'MIT,Apache2': 'MIT' };
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;
const LOCKS = ['package-lock.json', 'runtimes/*/versions/*/package-lock.json'];

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly link?: boolean;
}

interface Manifest {
  readonly license?: string;
  readonly licenses?: readonly { readonly type: string }[];
}

/**
 * What is installed is what was looked at: exact versions, a checksum for every package on this machine, nothing from outside the
 * registry, a permissive licence, and no install script is run.
 */
export const dependencies: Gate = {
  name: 'dependencies',
  run(root) {
    const findings: Finding[] = [];
    let looked = 0;
    for (const lock of globSync(LOCKS, { cwd: root }).sort()) {
      const folder = dirname(join(root, lock));
      const { packages = {} } = readJson(join(root, lock)) as { packages?: Record<string, Locked> };
      for (const [path, entry] of Object.entries(packages)) {
        looked++;
        const faults = path === '' ? inexact(folder) : faultsOf(folder, path, entry);
        for (const message of faults) findings.push({ file: lock, line: 0, message });
      }
    }
    const settings = join(root, '.npmrc');
    if (!existsSync(settings) || !/^ignore-scripts=true$/m.test(readFileSync(settings, 'utf8')))
      findings.push({ file: '.npmrc', line: 0, message: 'ignore-scripts=true is missing: packages could run code' });
    return Promise.resolve({ looked, findings });
  },
};

function inexact(folder: string): string[] {
  const manifest = readJson(join(folder, 'package.json')) as Record<string, Record<string, string> | undefined>;
  const wanted = { ...manifest['dependencies'], ...manifest['devDependencies'], ...manifest['optionalDependencies'] };
  return Object.entries(wanted)
    .filter(([, version]) => !EXACT.test(version))
    .map(([name, version]) => `${name}@${version} is not an exact version`);
}

function faultsOf(folder: string, path: string, entry: Locked): string[] {
  const faults: string[] = [];
  const installed = join(folder, path, 'package.json');
  const here = existsSync(installed);
  if (entry.link === true) faults.push(`${path} is a link, not a package of the registry`);
  if (entry.resolved !== undefined && !entry.resolved.startsWith('https://registry.npmjs.org/'))
    faults.push(`${path} comes from outside the registry`);
  // Packages of other platforms, which no machine of this kind installs, are listed without a checksum.
  if (entry.integrity === undefined && here) faults.push(`${path} has no checksum`);
  const named = entry.license ?? (here ? licenceOf(readJson(installed) as Manifest) : undefined);
  if (named !== undefined && !isPermissive(named)) faults.push(`${path} has the licence '${named}'`);
  if (named === undefined && here) faults.push(`${path} names no licence`);
  return faults;
}

/** Old packages have a list `licenses` of which one may choose. */
function licenceOf({ license, licenses }: Manifest): string | undefined {
  return license ?? licenses?.map(({ type }) => type).join(' OR ');
}

function isPermissive(licence: string): boolean {
  const choices = (SPELLINGS[licence] ?? licence).replace(/[()]/g, '').split(' OR ');
  return choices.some((choice) => choice.split(' AND ').every((each) => PERMISSIVE.has(each)));
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
