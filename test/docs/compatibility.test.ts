import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operations } from '../../src/doors/fc/operations.ts';
import { RAM, STS } from '../../src/doors/identity/operations.ts';
import { named, page, rows, section } from './pages.ts';

const text = page('docs/reference/compatibility.md');

/** Fields as the page names them: `a.b`, and `.c` for a sibling of the one before. */
function fieldsOf(heading: string): Set<string> {
  const cells = rows(section(text, heading)).slice(2);
  return new Set(cells.flatMap(([first = '']) => [...first.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)));
}

test('the page lists exactly the operations of the FC door, with method and path', () => {
  const known = operations.map(({ name, method, path }) => `${name} ${method} ${path}`);
  known.push('InvokeFunction POST /functions/:functionName/invocations');
  const found = rows(section(text, '## Operations'))
    .slice(2)
    .map(([name, where]) => `${named(name)} ${where?.replaceAll('`', '')}`);
  assert.deepEqual(found.toSorted(), known.toSorted());
});

test('every field that control reads or refuses for a function is on the page', () => {
  const fields = fieldsOf('## Fields of a function');
  const sources = [
    'src/services/control/function-input.ts',
    'src/services/control/unsupported-fields.ts',
    'src/services/control/functions.ts',
  ];
  const read = /reader\.(?:string|integer|boolean|oneOf(?:<\w+>)?|strings|object|raw|refuse)\(\s*'(\w+)'/g;
  const top = sources.flatMap((file) => [...page(file).matchAll(read)].map(([, name = '']) => name));
  assert.ok(top.length > 30, `only ${top.length} fields were found in the sources`);
  const missing = [...new Set(top)].filter((name) => {
    const parts = [...fields].flatMap((field) => field.split('.'));
    return !parts.includes(name) && !NESTED.has(name);
  });
  assert.deepEqual(missing, []);
});

/** Members of objects that the page names as a whole. */
const NESTED = new Set([
  ...['httpGetUrl', 'initialDelaySeconds', 'periodSeconds', 'timeoutSeconds', 'failureThreshold', 'successThreshold'],
  ...['nameServers', 'searches', 'dnsOptions', 'name', 'value'],
]);

test('the page lists exactly the operations of RAM and STS, those that are refused with what to do instead', () => {
  const known = Object.entries({ RAM, STS }).flatMap(([api, { operations: served, refused }]) => [
    ...[...served.keys()].map((name) => `${name} ${api} yes`),
    ...[...refused].map(([name, remedy]) => `${name} ${api} refused: ${remedy}`),
  ]);
  const found = rows(section(text, '## RAM and STS'))
    .slice(2)
    .map(([name, api, here]) => `${named(name)} ${api} ${here}`);
  assert.deepEqual(found.toSorted(), known.toSorted());
});
