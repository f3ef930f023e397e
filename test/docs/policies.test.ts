import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATORS } from '../../src/core/domain/policy/condition.ts';
import { KNOWN_KEYS } from '../../src/core/domain/policy/condition-keys.ts';
import { ACCESS_RULES } from '../../src/doors/fc/access-rules.ts';
import { ROUTES } from '../../src/doors/objects/routes.ts';
import { opsRoutes } from '../../src/doors/ops/routes.ts';
import { named, page, section } from './pages.ts';

const text = page('docs/reference/policies.md');

/** First two or three names in code marks of every row; `\|` is a bar within a cell. */
function namesIn(heading: string, columns: number): readonly string[][] {
  return section(text, heading)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, 1 + columns))
    .map((cells) => cells.map((cell) => named(cell).replaceAll('\\|', '|')));
}

test('the page has every operation on functions with its action and resource', () => {
  const expected = Object.entries(ACCESS_RULES).map(([name, { action, resource }]) => [name, action, resource]);
  assert.deepEqual(namesIn('## Functions', 3), expected);
});

test('the page has every operation on objects with its action', () => {
  const expected = new Map(ROUTES.map(({ name, action }) => [name, action]));
  assert.deepEqual(namesIn('## Objects', 2), [...expected]);
});

test('the page has every other operation with its action', () => {
  const expected = opsRoutes.map(({ method, path, action }) => [`${method} ${path}`, action]);
  assert.deepEqual(namesIn('## Operations', 2), expected);
});

test('the page has every operator and every key of conditions', () => {
  const all = [...section(text, '## The language').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
  for (const operator of OPERATORS.keys()) assert.ok(all.includes(operator), operator);
  const keys = all.filter((name) => /^(acs|oss):[A-Z]\w+$/.test(name));
  assert.deepEqual(new Set(keys.map((key) => key.toLowerCase())), KNOWN_KEYS);
});
