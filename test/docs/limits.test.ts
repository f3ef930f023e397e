import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/core/domain/limits.ts';
import { named, page, rows } from './pages.ts';

test('the page lists exactly the limits of the table, with their values', () => {
  const [table = ''] = page('docs/reference/limits.md').split('Limits outside the table');
  const found = Object.fromEntries(
    rows(table)
      .slice(2)
      .map(([name, value]) => [named(name), Number(value)]),
  );
  assert.deepEqual(found, { ...LIMITS });
});
