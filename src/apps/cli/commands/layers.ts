import { resolve } from 'node:path';
import { fcPath } from '../api/fc-client.ts';
import type { LayerShape } from '../api/fc-shapes.ts';
import type { Context } from '../context.ts';
import { readCode, withCode } from '../deploy/code-source.ts';
import type { CodeSource } from '../deploy/plan.ts';
import { EXIT } from '../failure.ts';
import { runSteps } from '../terminal/progress.ts';
import { bytesText, table } from '../terminal/text.ts';

export async function listLayers(context: Context): Promise<number> {
  const layers = await Array.fromAsync(context.client.pages<LayerShape>('ListLayers', fcPath`/layers`, 'layers'));
  context.output.answer({ layers }, () =>
    layers.length === 0
      ? 'no layers yet; publish one: tidemill layers publish NAME DIR --runtime nodejs24'
      : table(
          ['NAME', 'VERSION', 'SIZE', 'RUNTIMES', 'ARN'],
          layers.map((one) => [
            one.layerName,
            String(one.version),
            bytesText(one.codeSize),
            one.compatibleRuntime.join(','),
            one.layerVersionArn,
          ]),
        ),
  );
  return EXIT.ok;
}

export interface PublishLayerOptions {
  readonly runtime: readonly string[];
  readonly description?: string;
}

/** `tidemill layers publish NAME DIR`: a folder or a zip becomes a new version, which appears below /opt. */
export async function publishLayer(
  context: Context,
  name: string,
  path: string,
  options: PublishLayerOptions,
): Promise<number> {
  const full = resolve(path);
  const source: CodeSource = /\.(zip|jar)$/.test(path)
    ? { kind: 'archive', path: full }
    : { kind: 'folder', path: full };
  let layer: LayerShape | undefined;
  await runSteps(context.output, [
    {
      title: `Publish the layer ${name}`,
      run: async (say) => {
        const code = await readCode(source, say);
        layer = await withCode(context.client, source, code, (body) =>
          context.client.call<LayerShape>('CreateLayerVersion', 'POST', fcPath`/layers/${name}/versions`, {
            body: { code: body, compatibleRuntime: options.runtime, description: options.description ?? '' },
          }),
        );
        return `Published the layer ${name} (${bytesText(layer.codeSize)})`;
      },
    },
  ]);
  context.output.answer(layer, () => `use it: tidemill deploy DIR --layer ${layer?.layerVersionArn}`);
  return EXIT.ok;
}

export async function deleteLayer(context: Context, name: string, version: string): Promise<number> {
  await context.client.call('DeleteLayerVersion', 'DELETE', fcPath`/layers/${name}/versions/${version}`);
  context.output.answer(
    { deleted: true, layerName: name, version: Number(version) },
    () => `version ${version} of the layer ${name} is deleted`,
  );
  return EXIT.ok;
}
