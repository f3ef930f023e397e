import { layerArn, parseLayerArn } from '../../core/domain/arn.ts';
import { notSupported, TidemillError } from '../../core/domain/errors.ts';
import type { FunctionConfig } from '../../core/domain/function.ts';
import type { LayerDocument, LayerVersionDocument, UsedLayer } from './documents.ts';
import type { DocumentStore } from './document-store.ts';
import { invalid, shown } from './fields.ts';
import { keys } from './keys.ts';

/** Turns the layer ARNs of a configuration into packages. */
export class LayerUse {
  private readonly documents: DocumentStore;
  private readonly region: string;

  constructor(documents: DocumentStore, region: string) {
    this.documents = documents;
    this.region = region;
  }

  /**
   * The layers of a configuration in order. Those in `known` (what the function already uses) are taken from there, so a layer that was
   * deleted meanwhile stays usable. Throws InvalidArgument, LayerVersionNotFound.
   */
  async resolve(account: string, config: FunctionConfig, known: readonly UsedLayer[]): Promise<UsedLayer[]> {
    const layers: UsedLayer[] = [];
    for (const arn of config.layers) {
      if (layers.some((layer) => layer.arn === arn)) throw invalid('layers', `names ${shown(arn)} twice`);
      layers.push(known.find((layer) => layer.arn === arn) ?? (await this.find(account, arn)));
    }
    this.check(config, layers);
    return layers;
  }

  /** Throws InvalidArgument unless every layer says that it goes with the runtime. */
  check(config: FunctionConfig, layers: readonly UsedLayer[]): void {
    for (const layer of layers) {
      if (layer.compatibleRuntime.includes(config.runtime)) continue;
      throw new TidemillError('InvalidArgument', `${config.runtime} is not supported by layer '${layer.arn}'`, {
        remedy: `Use a layer made for ${config.runtime}; this one is for ${layer.compatibleRuntime.join(', ')}.`,
      });
    }
  }

  private async find(account: string, arn: string): Promise<UsedLayer> {
    const parsed = parseLayerArn(arn);
    if (parsed === undefined) {
      throw invalid(
        'layers',
        `has ${shown(arn)}, which is not a layer version ARN`,
        `The form is ${layerArn(this.region, account, 'NAME', 1)}.`,
      );
    }
    if (parsed.account === 'official') {
      throw notSupported(
        `the official layer '${arn}'`,
        'Create a layer of your own with the same content and name it.',
      );
    }
    const owner = parsed.account === '' ? account : parsed.account;
    const found = await this.documents.read<LayerVersionDocument>(
      keys.layerVersion(owner, parsed.layer, parsed.version),
    );
    const open =
      owner === account ||
      (await this.documents.read<LayerDocument>(keys.layer(owner, parsed.layer)))?.value.public === true;
    if (found === undefined || !open) {
      throw new TidemillError('LayerVersionNotFound', `layer version '${arn}' does not exist`);
    }
    const { code, compatibleRuntime } = found.value.record;
    return { arn, code, compatibleRuntime };
  }
}
