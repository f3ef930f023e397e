import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCOUNT, functionInput, startWorld } from './memory-world.ts';
import { refused } from './refusal.ts';

async function withVersions(count: number) {
  const started = await startWorld();
  await started.control.createFunction(ACCOUNT, await functionInput('f'));
  for (let version = 1; version <= count; version++) {
    await started.control.updateFunction(ACCOUNT, 'f', { description: `v${version}` });
    await started.control.publishVersion(ACCOUNT, 'f', { description: `version ${version}` });
  }
  return started;
}

describe('versions', () => {
  it('are snapshots with growing ids that are never reused', async () => {
    const { control } = await withVersions(2);
    const second = await control.getFunction(ACCOUNT, 'f', '2');
    assert.equal(second.versionId, '2');
    assert.equal(second.config.description, 'v2');
    assert.equal(second.functionArn, `acs:fc:local:${ACCOUNT}:functions/f/2`);
    await refused(control.publishVersion(ACCOUNT, 'f', {}), 'InvalidArgument', /has not changed since version '2'/);
    await control.updateFunction(ACCOUNT, 'f', { description: 'v2' });
    await refused(control.publishVersion(ACCOUNT, 'f', {}), 'InvalidArgument', /has not changed/);
    await control.deleteVersion(ACCOUNT, 'f', '2');
    await refused(control.getFunction(ACCOUNT, 'f', '2'), 'VersionNotFound', /version '2' does not exist/);
    assert.equal((await control.publishVersion(ACCOUNT, 'f', {})).versionId, '3');
    assert.equal((await control.getFunction(ACCOUNT, 'f', '1')).config.description, 'v1');
  });

  it('published at once are one version, the rest is refused as unchanged', async () => {
    const { control } = await withVersions(0);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5 }, () => control.publishVersion(ACCOUNT, 'f', {})),
    );
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
    assert.deepEqual(
      (await control.listVersions(ACCOUNT, 'f', {})).items.map((version) => version.versionId),
      ['1'],
    );
  });

  it('are listed in both directions, page by page', async () => {
    const { control } = await withVersions(12);
    await control.deleteVersion(ACCOUNT, 'f', '6');
    const expected = [12, 11, 10, 9, 8, 7, 5, 4, 3, 2, 1].map(String);
    for (const direction of ['BACKWARD', 'FORWARD'] as const) {
      for (const limit of [1, 2, 5, 11, 100]) {
        const seen: string[] = [];
        let nextToken: string | undefined;
        do {
          const page = await control.listVersions(ACCOUNT, 'f', { direction, limit, nextToken });
          assert.equal(page.direction, direction);
          assert.ok(page.items.length <= limit);
          seen.push(...page.items.map((version) => version.versionId));
          nextToken = page.nextToken;
        } while (nextToken !== undefined);
        assert.deepEqual(seen, direction === 'BACKWARD' ? expected : expected.toReversed());
      }
    }
    await refused(control.listVersions(ACCOUNT, 'f', { direction: 'UP' }), 'InvalidArgument', /^direction/);
    await refused(control.listVersions(ACCOUNT, 'f', { limit: 0 }), 'InvalidArgument', /^limit/);
    await refused(control.listVersions(ACCOUNT, 'f', { nextToken: 'x' }), 'InvalidArgument', /^nextToken/);
    await refused(control.listVersions(ACCOUNT, 'g', {}), 'FunctionNotFound', /'g'/);
  });

  it('in use by an alias, and LATEST, cannot be deleted', async () => {
    const { control } = await withVersions(3);
    await control.createAlias(ACCOUNT, 'f', { aliasName: 'prod', versionId: '1', additionalVersionWeight: { 2: 0.2 } });
    await refused(control.deleteVersion(ACCOUNT, 'f', '1'), 'InvalidArgument', /used by alias 'prod'/);
    await refused(control.deleteVersion(ACCOUNT, 'f', '2'), 'InvalidArgument', /used by alias 'prod'/);
    await refused(control.deleteVersion(ACCOUNT, 'f', 'LATEST'), 'InvalidArgument', /LATEST/);
    await refused(control.deleteVersion(ACCOUNT, 'f', '9'), 'VersionNotFound', /'9'/);
    await control.deleteVersion(ACCOUNT, 'f', '3');
  });
});

describe('aliases', () => {
  const wrong: readonly (readonly [
    Record<string, unknown>,
    'InvalidArgument' | 'VersionNotFound' | 'NotSupported',
    RegExp,
  ])[] = [
    [{ versionId: '1' }, 'InvalidArgument', /^aliasName is required/],
    [{ aliasName: '9x', versionId: '1' }, 'InvalidArgument', /^aliasName must start/],
    [{ aliasName: 'LATEST', versionId: '1' }, 'InvalidArgument', /LATEST/],
    [{ aliasName: 'a' }, 'InvalidArgument', /^versionId is required/],
    [{ aliasName: 'a', versionId: 'LATEST' }, 'InvalidArgument', /^versionId must be the number/],
    [{ aliasName: 'a', versionId: '7' }, 'VersionNotFound', /version '7'/],
    [{ aliasName: 'a', versionId: '1', description: 'x'.repeat(257) }, 'InvalidArgument', /^description/],
    [{ aliasName: 'a', versionId: '1', additionalVersionWeight: { 2: 1.1 } }, 'InvalidArgument', /from 0 to 1/],
    [{ aliasName: 'a', versionId: '1', additionalVersionWeight: { 2: -0.1 } }, 'InvalidArgument', /from 0 to 1/],
    [{ aliasName: 'a', versionId: '1', additionalVersionWeight: { 2: '0.5' } }, 'InvalidArgument', /from 0 to 1/],
    [
      { aliasName: 'a', versionId: '1', additionalVersionWeight: { 1: 0.5 } },
      'InvalidArgument',
      /main version '1' itself/,
    ],
    [{ aliasName: 'a', versionId: '1', additionalVersionWeight: { 7: 0.5 } }, 'VersionNotFound', /version '7'/],
    [
      { aliasName: 'a', versionId: '1', additionalVersionWeight: { 2: 0.1, 3: 0.1 } },
      'InvalidArgument',
      /more than one/,
    ],
    [{ aliasName: 'a', versionId: '1', weight: 1 }, 'NotSupported', /'weight'/],
  ];
  for (const [input, code, message] of wrong) {
    it(`${JSON.stringify(input).slice(0, 90)} is ${code}`, async () => {
      const { control } = await withVersions(3);
      await refused(control.createAlias(ACCOUNT, 'f', input), code, message);
    });
  }

  it('are created, read, updated in part, listed and deleted', async () => {
    const { control } = await withVersions(3);
    const created = await control.createAlias(ACCOUNT, 'f', {
      aliasName: 'prod',
      versionId: '1',
      description: 'd',
      additionalVersionWeight: { 2: 0.25 },
    });
    assert.deepEqual(await control.getAlias(ACCOUNT, 'f', 'prod'), created);
    await refused(
      control.createAlias(ACCOUNT, 'f', { aliasName: 'prod', versionId: '1' }),
      'AliasAlreadyExists',
      /'prod'/,
    );
    const moved = await control.updateAlias(ACCOUNT, 'f', 'prod', { versionId: '3' });
    assert.deepEqual([moved.versionId, moved.description, moved.additionalVersionWeight], ['3', 'd', { 2: 0.25 }]);
    await refused(
      control.updateAlias(ACCOUNT, 'f', 'prod', { versionId: '2' }),
      'InvalidArgument',
      /main version '2' itself/,
    );
    const plain = await control.updateAlias(ACCOUNT, 'f', 'prod', { versionId: '2', additionalVersionWeight: {} });
    assert.deepEqual(plain.additionalVersionWeight, {});
    assert.equal((await control.getFunction(ACCOUNT, 'f', 'prod')).versionId, '2');
    for (const aliasName of ['pre', 'prod2', 'test'])
      await control.createAlias(ACCOUNT, 'f', { aliasName, versionId: '1' });
    const page = await control.listAliases(ACCOUNT, 'f', { prefix: 'pr', limit: '2' });
    assert.deepEqual(
      page.items.map((alias) => alias.aliasName),
      ['pre', 'prod'],
    );
    const rest = await control.listAliases(ACCOUNT, 'f', { prefix: 'pr', limit: '2', nextToken: page.nextToken });
    assert.deepEqual(
      rest.items.map((alias) => alias.aliasName),
      ['prod2'],
    );
    assert.equal(rest.nextToken, undefined);
    await control.deleteAlias(ACCOUNT, 'f', 'prod');
    await refused(control.getAlias(ACCOUNT, 'f', 'prod'), 'AliasNotFound', /alias 'prod' does not exist/);
    await refused(control.deleteAlias(ACCOUNT, 'f', 'prod'), 'AliasNotFound', /'prod'/);
    await refused(control.getFunction(ACCOUNT, 'f', 'prod'), 'AliasNotFound', /'prod'/);
    await refused(control.getAlias(ACCOUNT, 'g', 'prod'), 'FunctionNotFound', /'g'/);
  });
});
