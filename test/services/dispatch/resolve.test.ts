import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AliasRecord } from '../../../src/core/domain/function.ts';
import { TidemillError } from '../../../src/core/domain/errors.ts';
import { pickVersion, resolveTarget } from '../../../src/services/dispatch/resolve.ts';
import { ACCOUNT, World } from '../scheduler/world.ts';

function aliasOf(versionId: string, additionalVersionWeight: Record<string, number>): AliasRecord {
  const aliasName = 'prod';
  const times = { createdTime: 0, lastModifiedTime: 0 };
  return {
    account: ACCOUNT,
    functionName: 'f',
    aliasName,
    versionId,
    description: '',
    additionalVersionWeight,
    ...times,
  };
}

test('qualifiers: head, version, alias; what is missing is named', async () => {
  const world = new World();
  world.catalog.put('f');
  world.catalog.publish('f', '1');
  world.catalog.aliases.set('f/prod', aliasOf('1', {}));
  world.catalog.aliases.set('f/stale', aliasOf('9', {}));
  const versionOf = async (qualifier: string | undefined): Promise<string> =>
    (await resolveTarget(world, ACCOUNT, 'f', qualifier)).spec.versionId;
  assert.equal(await versionOf(undefined), 'LATEST');
  assert.equal(await versionOf('LATEST'), 'LATEST');
  assert.equal(await versionOf('1'), '1');
  assert.equal(await versionOf('prod'), '1');
  for (const [name, qualifier, code, message] of [
    ['g', undefined, 'FunctionNotFound', "function 'g' does not exist"],
    ['f', '2', 'VersionNotFound', "version '2' does not exist"],
    ['f', 'nope', 'AliasNotFound', "alias 'nope' does not exist"],
    ['f', 'stale', 'VersionNotFound', "version '9' does not exist"],
  ] as const) {
    await assert.rejects(resolveTarget(world, ACCOUNT, name, qualifier), (error) => {
      assert.ok(error instanceof TidemillError);
      assert.deepEqual([error.code, error.message], [code, message]);
      return true;
    });
  }
});

test('a disabled function is refused with its reason', async () => {
  const world = new World();
  const invocationRestriction = { disable: true, reason: 'maintenance', lastModifiedTime: 0 };
  world.catalog.put('f', {}, { invocationRestriction });
  await assert.rejects(resolveTarget(world, ACCOUNT, 'f', undefined), /is disabled: maintenance/);
});

test('an alias picks each version by its weight', () => {
  const alias = aliasOf('1', { 2: 0.2, 3: 0.3 });
  fc.assert(
    fc.property(fc.float({ min: 0, max: Math.fround(0.999), noNaN: true }), (draw) => {
      assert.equal(pickVersion(alias, draw), draw < 0.2 ? '2' : draw - 0.2 < 0.3 ? '3' : '1');
    }),
  );
});
