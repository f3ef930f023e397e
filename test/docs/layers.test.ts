import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, test } from 'node:test';
import { layering } from '../../tools/check/layering.ts';
import { page, rows, section } from './pages.ts';

/** Something to import in every place of the tree, by the words that the table uses for it. */
const TARGETS: readonly { readonly path: string; readonly words: readonly string[] }[] = [
  { path: 'src/core/base/x.ts', words: ['base', 'core', 'src'] },
  { path: 'src/core/domain/x.ts', words: ['domain', 'core', 'src'] },
  { path: 'src/core/ports/x.ts', words: ['ports', 'core', 'src'] },
  { path: 'src/core/protocol/x.ts', words: ['protocol', 'core', 'src'] },
  { path: 'src/adapters/other/x.ts', words: ['adapters', 'src'] },
  { path: 'src/adapters/sqlite/x.ts', words: ['adapters', 'src/adapters/sqlite', 'src'] },
  { path: 'src/services/other/x.ts', words: ['services', 'src'] },
  { path: 'src/doors/other/x.ts', words: ['doors', 'src'] },
  { path: 'src/doors/wire/x.ts', words: ['doors', 'src/doors/wire', 'src'] },
  { path: 'src/apps/other/x.ts', words: ['src'] },
  { path: 'runtimes/other/x.ts', words: [] },
  { path: 'conformance/x.ts', words: ['conformance'] },
  { path: 'conformance/start.ts', words: ['conformance', 'conformance/start.ts'] },
  { path: 'bench/x.ts', words: ['bench'] },
  { path: 'test/x.ts', words: ['test'] },
  { path: 'tools/x.ts', words: ['tools'] },
];

/** The words of the third column, with a built-in that each of them lets in. */
const BUILTINS: Readonly<Record<string, readonly string[]>> = {
  none: [],
  'those without I/O': ['node:crypto'],
  'those without I/O, `node:http`': ['node:crypto', 'node:http'],
  all: ['node:crypto', 'node:http', 'node:fs'],
};

interface Probe {
  readonly file: string;
  readonly specifier: string;
  readonly allowed: boolean;
}

/** A file of the row's own, in a folder that nobody else has. */
function folderOf(path: string): string {
  return path.replace('/**/*.suite.ts', '/ports').replace('<name>', 'probe');
}

function probesOf(path: string, ours: string, builtins: string, packages: string, number: number): Probe[] {
  const suite = path.endsWith('.suite.ts') ? '.suite' : '';
  const file = (name: string): string => join(folderOf(path), `probe-${number}-${name}${suite}.ts`);
  const words = ours.split(',').map((word) => word.trim().replaceAll('`', ''));
  const own = folderOf(path);
  const probes = TARGETS.filter((target) => !target.path.startsWith(`${own}/`)).map((target, i): Probe => {
    const name = file(`ours-${i}`);
    const specifier = relative(dirname(name), target.path);
    return { file: name, specifier, allowed: target.words.some((word) => words.includes(word)) };
  });
  const known = BUILTINS[builtins];
  assert.ok(known, `'${builtins}' is no word of the table`);
  for (const builtin of BUILTINS['all'] ?? []) {
    probes.push({ file: file(builtin.slice(5)), specifier: builtin, allowed: known.includes(builtin) });
  }
  probes.push({ file: file('package'), specifier: 'some-package', allowed: packages === 'yes' });
  return probes;
}

test('the layer table of ARCHITECTURE is the one that the check holds', async () => {
  const root = mkdtempSync(join(tmpdir(), 'tm-layers-'));
  after(() => rmSync(root, { recursive: true, force: true }));
  const table = rows(section(page('docs/ARCHITECTURE.md'), '## Layers')).slice(2);
  const probes = table.flatMap(([paths = '', ours = '', builtins = '', packages = ''], number) =>
    [...paths.matchAll(/`([^`]+)`/g)].flatMap(([, path = '']) => probesOf(path, ours, builtins, packages, number)),
  );
  assert.ok(probes.length > 200, `only ${probes.length} imports were tried`);
  for (const { file, specifier } of probes) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), `import '${specifier.startsWith('.') ? specifier : plain(specifier)}';\n`);
  }
  const { findings } = await layering.run(root);
  const refused = new Set(findings.map((finding) => finding.file));
  const wrong = probes
    .filter(({ file, allowed }) => refused.has(file) === allowed)
    .map(({ file, specifier, allowed }) => `${file} imports ${specifier}: the page says ${allowed ? 'yes' : 'no'}`);
  assert.deepEqual(wrong, []);
});

/** Built-ins and packages as they are; a file of the same folder as a relative path. */
function plain(specifier: string): string {
  return /^node:|^some-package$/.test(specifier) ? specifier : `./${specifier}`;
}
