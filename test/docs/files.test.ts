import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { named, page, ROOT, rows, section } from './pages.ts';

const PAGES = [...globSync('*.md', { cwd: ROOT }), ...globSync('docs/**/*.md', { cwd: ROOT })].toSorted();
/** First parts of paths in this repository: what is in code marks and begins so must exist. */
const TREE =
  /^(?:src|test|tools|runtimes|examples|conformance|bench|chaos|docs|bin)\/[\w@.*<>/-]*$|^(?:package|tsconfig)\.json$/;
/** Made by set-up, build or bench: not there in a fresh clone. */
const MADE = new Set(['bench/out/results.json']);

function pathsIn(text: string): string[] {
  return [...text.matchAll(/`([^`\s]+)`/g)].map(([, code = '']) => code).filter((code) => TREE.test(code));
}

function exists(path: string): boolean {
  if (path.includes('<')) return true; // a form, not a file
  if (path.includes('*')) return globSync(path, { cwd: ROOT }).length > 0;
  return existsSync(join(ROOT, path));
}

test('every file that a page names exists', () => {
  const missing: string[] = [];
  let looked = 0;
  for (const file of PAGES) {
    for (const path of pathsIn(page(file))) {
      looked++;
      if (!MADE.has(path) && !exists(path)) missing.push(`${file}: ${path}`);
    }
  }
  assert.ok(looked > 100, `only ${looked} paths were found in the pages`);
  assert.deepEqual(missing, []);
});

test('every link leads to a file', () => {
  const broken: string[] = [];
  let looked = 0;
  for (const file of PAGES) {
    for (const [, target = ''] of page(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      looked++;
      const [path = ''] = target.split('#');
      if (!existsSync(join(ROOT, dirname(file), path))) broken.push(`${file}: ${target}`);
    }
  }
  assert.ok(looked > 30, `only ${looked} links were found`);
  assert.deepEqual(broken, []);
});

test('ARCHITECTURE names every adapter and every port, and no other', () => {
  const text = section(page('docs/ARCHITECTURE.md'), '## Ports and adapters');
  const adapters = readdirSync(join(ROOT, 'src/adapters'));
  const ports = globSync('src/core/ports/*.ts', { cwd: ROOT })
    .filter((path) => !path.endsWith('.suite.ts'))
    .map((path) => relative('src/core/ports', path).slice(0, -'.ts'.length));
  const codes = [...text.matchAll(/`([a-z-]+)`/g)].map(([, code = '']) => code);
  assert.deepEqual([...new Set(codes)].toSorted(), [...new Set([...adapters, ...ports])].toSorted());
  const table = rows(text).slice(2);
  for (const [port, , used = ''] of table) {
    assert.ok(ports.includes(named(port)), `${port} is no port`);
    for (const [, name = ''] of used.matchAll(/`([^`]+)`/g)) assert.ok(adapters.includes(name), name);
  }
});

test('every port has a suite, and every adapter of the port runs it', () => {
  const table = rows(section(page('docs/ARCHITECTURE.md'), '## Ports and adapters')).slice(2);
  assert.ok(table.length > 5, `only ${table.length} ports were found`);
  const missing = table.flatMap(([port, , used = '']) => {
    const suite = `src/core/ports/${named(port)}.suite.ts`;
    if (!existsSync(join(ROOT, suite))) return [`there is no ${suite}`];
    const [, run = ''] = /export function (\w+Suite)\(/.exec(page(suite)) ?? [];
    const adapters = [...used.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    return adapters
      .filter((adapter) => {
        const tests = globSync(`test/adapters/${adapter}/*.test.ts`, { cwd: ROOT });
        return !tests.some((file) => page(file).includes(`\n${run}(`));
      })
      .map((adapter) => `test/adapters/${adapter} does not call ${run}`);
  });
  assert.deepEqual(missing, []);
});

test('the layers of ARCHITECTURE are those that exist', () => {
  const first = rows(section(page('docs/ARCHITECTURE.md'), '## Layers'))
    .slice(2)
    .flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code));
  for (const layer of ['adapters', 'services', 'doors', 'apps']) {
    assert.ok(
      first.some((path) => path.startsWith(`src/${layer}/`)),
      layer,
    );
  }
  for (const folder of readdirSync(join(ROOT, 'src/core'))) {
    assert.ok(first.includes(`src/core/${folder}`), `src/core/${folder}`);
  }
});
