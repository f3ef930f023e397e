import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OBJECT_EVENTS } from '../../src/services/control/trigger-config.ts';
import { page, rows, section } from './pages.ts';

const text = page('docs/reference/object-store.md');

function codesIn(heading: string): string[] {
  const cells = rows(section(text, heading))
    .slice(2)
    .map(([first = '']) => first);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)).toSorted();
}

test('the page lists exactly the operations of the objects door', () => {
  const names = [...page('src/doors/objects/routes.ts').matchAll(/\bname: '(\w+)'/g)].map(([, name = '']) => name);
  assert.ok(names.length > 20, `only ${names.length} operations were found in the routes`);
  assert.deepEqual(codesIn('## Operations'), [...new Set(names)].toSorted());
});

test('the page lists exactly the events that can fire a trigger', () => {
  assert.deepEqual(codesIn('## Events'), OBJECT_EVENTS.toSorted());
});
