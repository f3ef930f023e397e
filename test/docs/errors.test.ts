import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS } from '../../src/core/domain/errors.ts';
import { named, page, rows, section } from './pages.ts';

const text = page('docs/reference/errors.md');

test('the page lists exactly the codes of the table, with culprit, status and remedy', () => {
  const found: Record<string, unknown> = {};
  for (const culprit of ['caller', 'function', 'limit', 'platform']) {
    for (const [code, status, remedy] of rows(section(text, `## Codes: ${culprit}`)).slice(2)) {
      const name = named(code);
      assert.ok(!Object.hasOwn(found, name), `${name} is listed twice`);
      found[name] = { culprit, status: Number(status), remedy };
    }
  }
  assert.deepEqual(found, { ...ERRORS });
});
