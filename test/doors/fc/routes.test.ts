import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { operations } from '../../../src/doors/fc/operations.ts';

interface SdkOperation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
}

/** Every operation that the shipped client can call, read from its own code. */
function sdkOperations(): SdkOperation[] {
  const source = readFileSync(createRequire(import.meta.url).resolve('@alicloud/fc20230330'), 'utf8');
  const pattern = /action: "(\w+)"[\s\S]*?pathname: [`"]\/2023-03-30([^`"]+)[`"][\s\S]*?method: "(\w+)"/g;
  return [...source.matchAll(pattern)].map(([, name = '', path = '', method = '']) => ({
    name,
    method,
    path: path.replace(/\$\{[^}]*\}/g, '*'),
  }));
}

test('every operation of the SDK has a route of the same name, method and path', () => {
  const found = sdkOperations();
  assert.ok(found.length >= 67, `only ${found.length} operations were found in the SDK`);
  const known = new Map(operations.map((operation) => [operation.name, operation]));
  for (const { name, method, path } of found) {
    if (name === 'InvokeFunction') continue;
    const operation = known.get(name);
    assert.ok(operation, `${name} has no route`);
    assert.equal(operation.method, method, name);
    assert.equal(operation.path.replace(/:\w+/g, '*'), path, name);
  }
});

test('names are unique', () => {
  assert.equal(new Set(operations.map(({ name }) => name)).size, operations.length);
});
