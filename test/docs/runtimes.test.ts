import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RUNTIMES } from '../../src/core/domain/runtime.ts';
import { named, page, rows, section } from './pages.ts';

const text = page('docs/reference/runtimes.md');

test('the page lists exactly the runtime ids, those that run and those that are refused', () => {
  const idsOf = (heading: string): string[] =>
    rows(section(text, heading))
      .slice(2)
      .map(([id]) => named(id))
      .toSorted();
  const known = (here: boolean): string[] =>
    Object.entries(RUNTIMES)
      .filter(([, row]) => row.here === here)
      .map(([id]) => id)
      .toSorted();
  assert.deepEqual(idsOf('## Ids that run'), known(true));
  assert.deepEqual(idsOf('## Ids that are known and refused by name'), known(false));
});
