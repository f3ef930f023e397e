import { fcPath } from '../api/fc-client.ts';
import type { AliasShape, VersionShape } from '../api/fc-shapes.ts';
import type { Context } from '../context.ts';
import { EXIT, usage } from '../failure.ts';
import { table } from '../terminal/text.ts';

export async function listVersions(context: Context, name: string): Promise<number> {
  const versions = await Array.fromAsync(
    context.client.pages<VersionShape>('ListFunctionVersions', fcPath`/functions/${name}/versions`, 'versions'),
  );
  context.output.answer({ versions }, () =>
    versions.length === 0
      ? `${name} has no published versions; publish one: tidemill versions publish ${name}`
      : table(
          ['VERSION', 'PUBLISHED', 'DESCRIPTION'],
          versions.map((one) => [one.versionId, one.createdTime, one.description]),
        ),
  );
  return EXIT.ok;
}

export async function publishVersion(
  context: Context,
  name: string,
  options: { readonly description?: string },
): Promise<number> {
  const version = await context.client.call<VersionShape>(
    'PublishFunctionVersion',
    'POST',
    fcPath`/functions/${name}/versions`,
    {
      body: { description: options.description ?? '' },
    },
  );
  context.output.answer(version, () => `${name} version ${version.versionId} is published`);
  return EXIT.ok;
}

export async function deleteVersion(context: Context, name: string, version: string): Promise<number> {
  await context.client.call('DeleteFunctionVersion', 'DELETE', fcPath`/functions/${name}/versions/${version}`);
  context.output.answer(
    { deleted: true, functionName: name, versionId: version },
    () => `${name} version ${version} is deleted`,
  );
  return EXIT.ok;
}

export async function listAliases(context: Context, name: string): Promise<number> {
  const aliases = await Array.fromAsync(
    context.client.pages<AliasShape>('ListAliases', fcPath`/functions/${name}/aliases`, 'aliases'),
  );
  context.output.answer({ aliases }, () =>
    aliases.length === 0
      ? `${name} has no aliases; set one: tidemill alias set ${name} prod 1`
      : table(
          ['ALIAS', 'VERSION', 'ALSO', 'DESCRIPTION'],
          aliases.map((one) => [one.aliasName, one.versionId, weightText(one), one.description]),
        ),
  );
  return EXIT.ok;
}

function weightText({ additionalVersionWeight = {} }: AliasShape): string {
  return Object.entries(additionalVersionWeight)
    .map(([version, weight]) => `${version}=${weight}`)
    .join(' ');
}

export interface AliasOptions {
  readonly weight?: readonly string[];
  readonly description?: string;
}

/** Makes the alias or moves it. Without --weight, every call goes to VERSION. */
export async function setAlias(
  context: Context,
  name: string,
  alias: string,
  version: string,
  options: AliasOptions,
): Promise<number> {
  const body = {
    versionId: version,
    additionalVersionWeight: Object.fromEntries((options.weight ?? []).map(weightOf)),
    ...(options.description === undefined ? {} : { description: options.description }),
  };
  const { client } = context;
  const path = fcPath`/functions/${name}/aliases/${alias}`;
  const updated = await client.find<AliasShape>(['AliasNotFound'], 'UpdateAlias', 'PUT', path, { body });
  const result =
    updated ??
    (await client.call<AliasShape>('CreateAlias', 'POST', fcPath`/functions/${name}/aliases`, {
      body: { aliasName: alias, ...body },
    }));
  const also = weightText(result);
  context.output.answer(
    result,
    () => `${name}/${alias} is version ${result.versionId}${also === '' ? '' : `, and ${also}`}`,
  );
  return EXIT.ok;
}

function weightOf(text: string): [string, number] {
  const match = /^(\d+)=(\d*\.?\d+)$/.exec(text);
  const weight = Number(match?.[2]);
  if (match === null || !(weight >= 0 && weight <= 1)) {
    throw usage(`--weight ${text} is not VERSION=SHARE`, 'Give a share from 0 to 1, e.g. --weight 2=0.2.');
  }
  return [match[1] ?? '', weight];
}

export async function deleteAlias(context: Context, name: string, alias: string): Promise<number> {
  await context.client.call('DeleteAlias', 'DELETE', fcPath`/functions/${name}/aliases/${alias}`);
  context.output.answer({ deleted: true, functionName: name, aliasName: alias }, () => `${name}/${alias} is deleted`);
  return EXIT.ok;
}
