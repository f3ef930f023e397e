import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { usage } from '../failure.ts';

/** What a folder says about how to run it. */
export interface Detected {
  readonly runtime: string;
  readonly handler: string;
}

/**
 * Runtime and handler of a folder: an executable `bootstrap` is a custom runtime; `index.js`, `index.mjs`, `index.cjs` or the `main` of a
 * package.json is Node.js; `index.py` is Python. Throws a usage Failure when nothing fits.
 */
export function detectRuntime(folder: string): Detected {
  const has = (name: string): boolean => existsSync(join(folder, name));
  if (has('bootstrap')) {
    try {
      accessSync(join(folder, 'bootstrap'), constants.X_OK);
    } catch {
      throw usage(`${join(folder, 'bootstrap')} is not executable`, `Run: chmod +x ${join(folder, 'bootstrap')}`);
    }
    return { runtime: 'custom.debian12', handler: 'index.handler' };
  }
  const node = ['index.js', 'index.mjs', 'index.cjs'].find(has) ?? mainOf(folder);
  if (node !== undefined) return { runtime: 'nodejs24', handler: `${node.replace(/\.[cm]?js$/, '')}.handler` };
  if (has('index.py')) return { runtime: 'python3.10', handler: 'index.handler' };
  throw usage(
    `${folder} has none of bootstrap, index.js, index.mjs, a package.json with "main", or index.py`,
    'Say what it is with --runtime and --handler, e.g. --runtime nodejs24 --handler app.handler.',
  );
}

function mainOf(folder: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, 'package.json'), 'utf8');
  } catch {
    return undefined; // it has none
  }
  let main: unknown;
  try {
    main = (JSON.parse(text) as { main?: unknown }).main;
  } catch (error) {
    throw usage(`${join(folder, 'package.json')} is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof main !== 'string' || main === '') return undefined;
  const path = main.replace(/^\.\//, '');
  const file = [path, `${path}.js`, `${path}/index.js`].find(
    (candidate) => /\.[cm]?js$/.test(candidate) && existsSync(join(folder, candidate)),
  );
  if (file === undefined) throw usage(`package.json names "main": "${main}", which does not exist`);
  return file;
}

/** A function name made of the folder's own, with what names may not hold replaced. */
export function nameOfFolder(folder: string): string {
  const name = basename(resolve(folder)).replace(/[^A-Za-z0-9_-]+/g, '-');
  return /^[A-Za-z_]/.test(name) ? name : `f-${name}`;
}

/** Node.js, Python or custom: what decides whether a function changed its language. */
export function familyOf(runtime: string): string {
  return /^[a-z]+/.exec(runtime)?.[0] ?? runtime;
}
