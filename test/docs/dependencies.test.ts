import assert from 'node:assert/strict';
import { test } from 'node:test';
import { named, page, rows, section } from './pages.ts';

const text = page('docs/DEPENDENCIES.md');
const manifest = JSON.parse(page('package.json')) as Record<string, Readonly<Record<string, string>> | undefined>;

const SECTIONS = [
  ['## At run time', 'dependencies'],
  ['## Optional at run time', 'optionalDependencies'],
  ['## For development and tests', 'devDependencies'],
] as const;

for (const [heading, member] of SECTIONS) {
  test(`'${heading.slice(3)}' lists exactly ${member}, each with licence and purpose`, () => {
    const lines = rows(section(text, heading)).slice(2);
    const names = lines.map(([name]) => named(name));
    assert.deepEqual(names.toSorted(), Object.keys(manifest[member] ?? {}).toSorted());
    for (const [name, licence, purpose] of lines) {
      assert.ok(licence !== '' && purpose !== '', `${name} has an empty cell`);
    }
  });
}
