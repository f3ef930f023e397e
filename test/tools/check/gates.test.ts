import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { deadCode, format, lint, types } from '../../../tools/check/commands.ts';
import { dependencies } from '../../../tools/check/dependencies.ts';
import type { Gate } from '../../../tools/check/gate.ts';
import { layering } from '../../../tools/check/layering.ts';
import { sizes } from '../../../tools/check/sizes.ts';
import { plantedTree } from './planted.ts';

const ROOT = join(import.meta.dirname, '../../..');
const SOUND = { 'src/core/base/one.ts': 'export const one = 1;\n', 'src/apps/cli/main.ts': 'console.log(1);\n' };

/** A lock file with one package that is installed here. */
function locked(entry: Readonly<Record<string, string>>): string {
  return JSON.stringify({ packages: { '': {}, 'node_modules/ws': { version: '8.0.0', ...entry } } });
}

/** Each gate with violations that it must catch, and words that its finding must hold. */
const GATES: readonly { gate: Gate; planted: readonly { files: Record<string, string>; says: RegExp }[] }[] = [
  {
    gate: layering,
    planted: [
      {
        files: { 'src/core/domain/bad.ts': "import { readFileSync } from 'node:fs';\nexport { readFileSync };\n" },
        says: /may not use node:fs/,
      },
      {
        files: { 'src/services/a/bad.ts': "export * from '../b/other.ts';\n", 'src/services/b/other.ts': '' },
        says: /may not import src\/services\/b/,
      },
      { files: { 'src/services/a/bad.ts': "import '../../adapters/x/y.ts';\n" }, says: /may not import src\/adapters/ },
      {
        files: { 'src/doors/fc/bad.ts': "const a = await import('../http/door.ts');\nexport { a };\n" },
        says: /may not import src\/doors\/http/,
      },
      {
        files: { 'src/adapters/a/bad.ts': "import type { B } from '../b/b.ts';\nexport type C = B;\n" },
        says: /may not import src\/adapters\/b/,
      },
      {
        files: { 'src/services/a/bad.ts': "import '../../adapters/sqlite/database.ts';\n" },
        says: /may not import src\/adapters\/sqlite/,
      },
      {
        files: { 'src/adapters/sqlite/bad.ts': "import '../b/b.ts';\n" },
        says: /may not import src\/adapters\/b/,
      },
      {
        files: { 'src/core/base/bad.ts': "import ajv from 'ajv';\nexport { ajv };\n" },
        says: /may not use the package ajv/,
      },
      {
        files: { 'runtimes/node/bad.cjs': "require('x');\n", 'src/nowhere/bad.ts': '' },
        says: /lies in no known layer/,
      },
    ],
  },
  {
    gate: sizes,
    planted: [
      { files: { 'src/core/base/long.ts': 'export {};\n'.repeat(601) }, says: /split it/ },
      { files: { 'src/core/utils/thing.ts': 'export {};\n' }, says: /says nothing/ },
    ],
  },
  {
    gate: types,
    planted: [{ files: { 'src/core/base/bad.ts': "export const n: number = 'text';\n" }, says: /TS2322/ }],
  },
  { gate: format, planted: [{ files: { 'src/core/base/bad.ts': 'export   const a=1\n' }, says: /bad\.ts/ }] },
  {
    gate: lint,
    planted: [
      {
        files: { 'src/core/base/bad.ts': 'export function f(): void {\n  Promise.resolve(1);\n}\n' },
        says: /no-floating-promises/,
      },
      { files: { 'src/core/base/bad.ts': 'export const a = (x: any): unknown => x;\n' }, says: /no-explicit-any/ },
    ],
  },
  {
    gate: deadCode,
    planted: [{ files: { 'src/core/base/dead.ts': 'export const nobodyReadsThis = 1;\n' }, says: /dead\.ts/ }],
  },
  {
    gate: dependencies,
    planted: [
      { files: { 'package-lock.json': locked({ license: 'AGPL-3.0', integrity: 'x' }) }, says: /licence 'AGPL-3.0'/ },
      { files: { 'package-lock.json': locked({ license: 'MIT' }) }, says: /no checksum/ },
      {
        files: {
          'package-lock.json': locked({ license: 'MIT', integrity: 'x', resolved: 'git+ssh://elsewhere/a.git' }),
        },
        says: /outside the registry/,
      },
      {
        files: { 'package-lock.json': locked({}), 'package.json': '{"dependencies":{"ws":"^8.0.0"}}' },
        says: /not an exact version/,
      },
      { files: { '.npmrc': 'fund=false\n' }, says: /ignore-scripts/ },
    ],
  },
];

for (const { gate, planted } of GATES) {
  test(`the tree keeps the rule: ${gate.name}`, async () => {
    const { looked, findings } = await gate.run(ROOT);
    assert.ok(looked > 100, `looked at only ${looked} files`);
    assert.deepEqual(
      findings.map(({ file, line, message }) => `${file}:${line} ${message}`),
      [],
    );
  });
  planted.forEach(({ files, says }, index) => {
    test(`${gate.name} catches planted violation ${index + 1}`, async () => {
      const tree = plantedTree({ ...SOUND, ...files });
      try {
        const { findings } = await gate.run(tree.root);
        assert.match(findings.map(({ file, message }) => `${file} ${message}`).join('\n'), says);
      } finally {
        tree.remove();
      }
    });
  });
}
