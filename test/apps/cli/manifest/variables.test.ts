import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { resourcesNamed, splitText } from '../../../../src/apps/cli/manifest/expression.ts';
import { resolveVariables, type VariableSources } from '../../../../src/apps/cli/manifest/variables.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidemill-vars-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'note.txt'), 'a note\n');
writeFileSync(join(folder, 'data.json'), '{"n":[1,2]}');

const sources: VariableSources = {
  folder,
  env: { STAGE: 'test' },
  vars: { region: 'local', size: 512, nested: { list: ['x', 'y'], also: '${vars.region}-1' } },
  props: { other: { functionName: 'other-${vars.region}', memorySize: 128 } },
  outputs: { other: { url: { system_url: 'http://u/' } } },
  config: (name) => `<${name}>`,
};
const resolve = (value: unknown, own?: unknown): unknown => resolveVariables(value, sources, own);

test('an expression alone keeps its type; inside a text it is written out', () => {
  assert.equal(resolve('${vars.size}'), 512);
  assert.equal(resolve('${vars.size} MB'), '512 MB');
  assert.deepEqual(resolve({ a: ['${vars.nested.list}'] }), { a: [['x', 'y']] });
  assert.equal(resolve('${vars.nested.list[1]}'), 'y');
  assert.equal(resolve('${vars.nested.also}'), 'local-1');
});

test('every source of FC reference 8.1', () => {
  assert.equal(resolve("${env('STAGE')}"), 'test');
  assert.equal(resolve('${env(STAGE)}'), 'test');
  assert.equal(resolve("${env('NONE', 'default')}"), 'default');
  assert.equal(resolve("${file('note.txt')}"), 'a note');
  assert.deepEqual(resolve("${json(file('data.json'))}"), { n: [1, 2] });
  assert.deepEqual(resolve("${json('data.json')}"), { n: [1, 2] });
  assert.deepEqual(resolve(`\${json('{"a":1}')}`), { a: 1 });
  assert.equal(resolve("${path('sub')}"), join(folder, 'sub'));
  assert.equal(resolve('${resources.other.props.functionName}'), 'other-local');
  assert.equal(resolve('${resources.other.output.url.system_url}x'), 'http://u/x');
  assert.equal(resolve("${config('AccountID')}"), '<AccountID>');
  assert.equal(resolve('${this.props.name}', { name: 'own-${vars.region}' }), 'own-local');
  assert.equal(resolve('$${vars.size}'), '${vars.size}');
});

test('what has no value is refused by name', () => {
  const refused = (text: string, why: RegExp): void =>
    assert.throws(
      () => resolve(text),
      (error: Error & { exit: number }) => error.exit === 2 && why.test(error.message),
    );
  refused('${vars.none}', /\$\{vars\.none\} has no value: 'none' is not there/);
  refused("${env('NONE')}", /the environment has no variable 'NONE'/);
  refused('${resources.gone.props.a}', /there is no resource 'gone'/);
  refused('${resources.gone.output.a}', /not deployed before/);
  refused("${file('none.txt')}", /ENOENT/);
  refused('${what}', /known are/);
  refused("${shout('x')}", /there is no function 'shout'/);
  refused("${env('x}", /closing/);
  refused('${env(x}', /missing/);
  refused('${}', /empty/);
});

test('values that refer to one another in a circle are told, not followed for ever', () => {
  assert.throws(
    () => resolveVariables('${vars.a}', { ...sources, vars: { a: '${vars.b}', b: '${vars.a}' } }),
    /refers to itself/,
  );
});

test('text without expressions comes through unchanged', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value).replaceAll('${', '').replaceAll('$$', '');
      assert.deepEqual(resolve(text), text);
    }),
  );
});

test('any text either splits or says why', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', "'", '"', 'a', '(', ')') }), (text) => {
      try {
        const parts = splitText(text);
        assert.ok(parts.length > 0);
      } catch (error) {
        assert.match((error as Error).message, /has no closing/);
      }
    }),
  );
});

test('finds the resources that a value refers to', () => {
  const named = resourcesNamed({ a: ['${resources.x.props.y}'], b: '${json(resources.z.output.q)}', c: '${vars.x}' });
  assert.deepEqual([...named], ['x', 'z']);
});
