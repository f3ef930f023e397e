import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { actionFits, findManifest, readManifest } from '../../../../src/apps/cli/manifest/manifest.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemill-manifest-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(text: string, name = 's.yaml'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const refused = (text: string, why: RegExp): void => {
  assert.throws(
    () => readManifest(write(text)),
    (error: Error & { exit: number }) => error.exit === 2 && why.test(error.message),
  );
};

test('s.yaml comes before s.yml', () => {
  assert.equal(findManifest(folder), undefined);
  write('', 's.yml');
  assert.equal(findManifest(folder), join(folder, 's.yml'));
  write('');
  assert.equal(findManifest(folder), join(folder, 's.yaml'));
});

test('what a resource refers to is deployed before it, flow before the order of the file', () => {
  const path = write(`
edition: 3.0.0
resources:
  last: {component: fc3, props: {functionName: "\${resources.first.output.functionName}-next"}}
  first: {component: fc3, props: {functionName: first}}
  early: {component: fc3@1.2.3, props: {functionName: early}}
flow:
  deploy:
    - [early]
`);
  assert.deepEqual(
    readManifest(path).resources.map((resource) => resource.name),
    ['early', 'first', 'last'],
  );
});

test('a template lies below the props of the resource, without what is ignored', () => {
  const path = write(`
edition: 3.0.0
template:
  base: {runtime: nodejs24, memorySize: 512, environmentVariables: {A: "1", B: "2"}, layers: [x]}
resources:
  a:
    component: fc3
    extend: {name: base, ignore: [layers, environmentVariables.B]}
    props: {functionName: a, memorySize: 128, environmentVariables: {C: "3"}}
`);
  assert.deepEqual(readManifest(path).resources[0]?.props, {
    runtime: 'nodejs24',
    memorySize: 128,
    environmentVariables: { A: '1', C: '3' },
    functionName: 'a',
  });
});

test('a file may extend another', () => {
  write(
    'edition: 3.0.0\nvars: {a: 1, b: 2}\nresources: {f: {component: fc3, props: {functionName: f, memorySize: 128}}}',
    'base.yaml',
  );
  const manifest = readManifest(write('extend: ./base.yaml\nvars: {b: 3}\nresources: {f: {props: {memorySize: 256}}}'));
  assert.deepEqual(manifest.vars, { a: 1, b: 3 });
  assert.deepEqual(manifest.resources[0]?.props, { functionName: 'f', memorySize: 256 });
});

test('YAML anchors and merge keys work', () => {
  const path = write(
    'x: &base {runtime: nodejs24}\nresources:\n  f:\n    component: fc3\n    props:\n      <<: *base\n      functionName: f',
  );
  assert.deepEqual(readManifest(path).resources[0]?.props, { runtime: 'nodejs24', functionName: 'f' });
});

test('what cannot be deployed is refused by name', () => {
  refused('a: [', /not valid YAML/);
  refused('just text', /must be a map/);
  refused('resources: {}', /has no resources/);
  refused('resources: {a: {component: oss, props: {}}}', /the resource 'a' .* has the component 'oss'/);
  refused('edition: 1.0.0\nservices: {a: {component: fc}}', /edition 1\.0\.0/);
  refused('resources: {a: {component: fc3, extend: {name: none}}}', /which is no template/);
  refused(
    "resources: {a: {component: fc3, props: {x: '${resources.b.props.y}'}}, b: {component: fc3, props: {y: '${resources.a.props.x}'}}}",
    /circle: a -> b -> a/,
  );
  refused("resources: {a: {component: fc3, props: {x: '${env(}'}}}", /the resource 'a' has an expression/);
  refused('extend: s.yaml\nresources: {}', /extends itself/);
  assert.throws(() => readManifest(join(folder, 'none.yaml')), /cannot read/);
});

test('keys of actions may be expressions', () => {
  assert.ok(actionFits('deploy', 'deploy'));
  assert.ok(actionFits("${regex('deploy|local')}", 'deploy'));
  assert.ok(!actionFits("${regex('^remove$')}", 'deploy'));
});
