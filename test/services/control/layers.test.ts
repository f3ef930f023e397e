import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCOUNT, functionInput, startWorld } from './memory-world.ts';
import { refused } from './refusal.ts';
import { zipOf } from './zips.ts';

const OTHER = '6543210987654321';

async function layerInput(
  extra: Readonly<Record<string, unknown>> = {},
  content = 'x',
): Promise<Record<string, unknown>> {
  return { code: { zipFile: await zipOf({ 'lib.js': content }) }, compatibleRuntime: ['nodejs20'], ...extra };
}

function arn(layer: string, version: number): string {
  return `acs:fc:local:${ACCOUNT}:layers/${layer}/versions/${version}`;
}

describe('layers', () => {
  it('have growing versions, are read by number and ARN, and listed', async () => {
    const { control } = await startWorld();
    const first = await control.createLayerVersion(
      ACCOUNT,
      'L',
      await layerInput({ description: 'd', license: 'MIT' }),
    );
    assert.equal(first.arn, arn('L', 1));
    assert.equal(first.record.public, false);
    for (let version = 2; version <= 5; version++)
      await control.createLayerVersion(ACCOUNT, 'L', await layerInput({}, `${version}`));
    await control.createLayerVersion(ACCOUNT, 'M', await layerInput());
    assert.deepEqual(await control.getLayerVersion(ACCOUNT, 'L', '1'), first);
    assert.deepEqual(await control.getLayerVersionByArn(ACCOUNT, arn('L', 1)), first);
    const page = await control.listLayerVersions(ACCOUNT, 'L', { limit: 2 });
    assert.deepEqual([page.items.map((item) => item.record.version), page.nextVersion], [[5, 4], 3]);
    const rest = await control.listLayerVersions(ACCOUNT, 'L', { startVersion: '3', limit: 3 });
    assert.deepEqual([rest.items.map((item) => item.record.version), rest.nextVersion], [[3, 2, 1], undefined]);
    await control.deleteLayerVersion(ACCOUNT, 'L', 5);
    assert.equal((await control.createLayerVersion(ACCOUNT, 'L', await layerInput())).record.version, 6);
    const layers = await control.listLayers(ACCOUNT, {});
    assert.deepEqual(
      layers.items.map((item) => item.arn),
      [arn('L', 6), arn('M', 1)],
    );
    assert.deepEqual((await control.listLayers(ACCOUNT, { official: 'true' })).items, []);
    assert.deepEqual((await control.listLayers(ACCOUNT, { prefix: 'M' })).items.length, 1);
  });

  it('say by name what is missing or wrong', async () => {
    const { control, world } = await startWorld();
    await refused(control.getLayerVersion(ACCOUNT, 'L', 1), 'LayerNotFound', /layer 'L' does not exist/);
    await refused(control.listLayerVersions(ACCOUNT, 'L', {}), 'LayerNotFound', /'L'/);
    await refused(control.putLayerAcl(ACCOUNT, 'L', '1'), 'LayerNotFound', /'L'/);
    await refused(control.createLayerVersion(ACCOUNT, '1', await layerInput()), 'InvalidArgument', /^layerName/);
    for (const [extra, message] of [
      [{ compatibleRuntime: [] }, /^compatibleRuntime is required/],
      [{ compatibleRuntime: ['nodejs99'] }, /^compatibleRuntime has the unknown runtime/],
      [{ code: undefined }, /^code is required/],
      [{ code: { zipFile: 'aGVsbG8=' } }, /not a zip/],
      [{ description: 'x'.repeat(257) }, /^description/],
    ] as const) {
      await refused(control.createLayerVersion(ACCOUNT, 'L', await layerInput(extra)), 'InvalidArgument', message);
    }
    assert.equal(world.blobs.blobs.size, 0);
    await control.createLayerVersion(ACCOUNT, 'L', await layerInput());
    for (const version of ['2', 'x', '0', '-1']) {
      await refused(
        control.getLayerVersion(ACCOUNT, 'L', version),
        'LayerVersionNotFound',
        /of layer 'L' does not exist/,
      );
    }
    await refused(control.getLayerVersionByArn(ACCOUNT, 'x'), 'InvalidArgument', /not a layer version ARN/);
    await refused(control.putLayerAcl(ACCOUNT, 'L', '2'), 'InvalidArgument', /^acl/);
    await refused(control.listLayers(ACCOUNT, { public: 'x' }), 'InvalidArgument', /^public/);
  });

  it('are others to use once public', async () => {
    const { control } = await startWorld();
    await control.createLayerVersion(ACCOUNT, 'L', await layerInput());
    const input = await functionInput('f', { layers: [arn('L', 1)] });
    await refused(control.createFunction(OTHER, input), 'LayerVersionNotFound', /does not exist/);
    await refused(control.getLayerVersionByArn(OTHER, arn('L', 1)), 'LayerVersionNotFound', /does not exist/);
    assert.deepEqual((await control.listLayers(OTHER, { public: 'true' })).items, []);
    await control.putLayerAcl(ACCOUNT, 'L', '1');
    assert.equal((await control.getLayerVersionByArn(OTHER, arn('L', 1))).record.public, true);
    assert.equal((await control.listLayers(OTHER, { public: 'true' })).items.length, 1);
    assert.equal((await control.listLayers(ACCOUNT, { public: 'false' })).items.length, 0);
    await control.createFunction(OTHER, input);
    await control.putLayerAcl(ACCOUNT, 'L', '0');
    // What a function has it keeps; a new use is refused.
    await control.updateFunction(OTHER, 'f', { timeout: 9 });
    await refused(
      control.createFunction(OTHER, { ...input, functionName: 'g' }),
      'LayerVersionNotFound',
      /does not exist/,
    );
  });

  it('must go with the runtime, and stand in the order named', async () => {
    const { control, catalog } = await startWorld();
    await control.createLayerVersion(
      ACCOUNT,
      'N',
      await layerInput({ compatibleRuntime: ['nodejs20', 'nodejs24'] }, 'n'),
    );
    await control.createLayerVersion(ACCOUNT, 'P', await layerInput({ compatibleRuntime: ['python3.10'] }, 'p'));
    await control.createLayerVersion(ACCOUNT, 'O', await layerInput({}, 'o'));
    const bad = await functionInput('f', { layers: [arn('P', 1)] });
    await refused(
      control.createFunction(ACCOUNT, bad),
      'InvalidArgument',
      /^nodejs20 is not supported by layer '.*\/P\/versions\/1'/,
    );
    const twice = await functionInput('f', { layers: [arn('N', 1), arn('N', 1)] });
    await refused(control.createFunction(ACCOUNT, twice), 'InvalidArgument', /^layers names .* twice/);
    const view = await control.createFunction(
      ACCOUNT,
      await functionInput('f', { layers: [arn('O', 1), arn('N', 1)] }),
    );
    assert.deepEqual(
      view.layers.map((layer) => layer.arn),
      [arn('O', 1), arn('N', 1)],
    );
    assert.ok(view.layers.every((layer) => layer.size > 0));
    const spec = await catalog.spec(ACCOUNT, 'f', 'LATEST');
    assert.deepEqual(
      spec?.layers.map((layer) => layer.arn),
      [arn('O', 1), arn('N', 1)],
    );
    await refused(
      control.updateFunction(ACCOUNT, 'f', { runtime: 'nodejs24' }),
      'InvalidArgument',
      /^nodejs24 is not supported by layer '.*\/O\//,
    );
    await control.updateFunction(ACCOUNT, 'f', { runtime: 'nodejs24', layers: [arn('N', 1)] });
  });
});
