import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { ERRORS } from '../../src/core/domain/errors.ts';
import { LIMITS } from '../../src/core/domain/limits.ts';
import { page, ROOT } from './pages.ts';

function sourcesBeside(table: string): string {
  const files = globSync('src/**/*.ts', { cwd: ROOT }).filter((path) => path !== table && !path.endsWith('.suite.ts'));
  assert.ok(files.length > 200, `only ${files.length} files were found`);
  return files.map(page).join('\n');
}

test('every limit of the table is held by some code', () => {
  const sources = sourcesBeside('src/core/domain/limits.ts');
  const unused = Object.keys(LIMITS).filter((name) => !new RegExp(`LIMITS\\.${name}\\b`).test(sources));
  assert.deepEqual(unused, []);
});

test('every error of the table is thrown by some code', () => {
  const sources = sourcesBeside('src/core/domain/errors.ts');
  const unused = Object.keys(ERRORS).filter((code) => !sources.includes(`'${code}'`));
  assert.deepEqual(unused, []);
});
