import { fcPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { ManifestValues, platformHome } from '../deploy/manifest-deployment.ts';
import { EXIT, usage } from '../failure.ts';
import { runActions } from '../manifest/actions.ts';
import { readManifest } from '../manifest/manifest.ts';

/** `tidemill delete`: functions with their versions, aliases, triggers and settings. */
export async function deleteFunctions(
  context: Context,
  names: readonly string[],
  options: { readonly file?: string },
): Promise<number> {
  const { file } = options;
  if ((file === undefined) === (names.length === 0)) throw usage('name the functions to delete, or a manifest with -f');
  if (file !== undefined) return deleteManifest(context, file);
  for (const name of names) await context.client.call('DeleteFunction', 'DELETE', fcPath`/functions/${name}`);
  context.output.answer({ deleted: names }, () => names.map((name) => `${name} is deleted`).join('\n'));
  return EXIT.ok;
}

/** Every function of a manifest, last deployed first; one that is gone already is no error. */
async function deleteManifest(context: Context, file: string): Promise<number> {
  const manifest = readManifest(file);
  const values = new ManifestValues(manifest, await platformHome(context.client), context);
  const deleted: string[] = [];
  await runActions(values.actions(manifest.actions), 'pre', 'remove', manifest.folder);
  for (const resource of manifest.resources.toReversed()) {
    if (resource.component !== 'fc3') continue;
    await runActions(values.actions(resource.actions), 'pre', 'remove', manifest.folder);
    const name = values.functionName(resource);
    const found = await context.client.find(['FunctionNotFound'], 'GetFunction', 'GET', fcPath`/functions/${name}`);
    if (found === undefined) {
      context.output.note(`${name} is not there`);
      continue;
    }
    await context.client.call('DeleteFunction', 'DELETE', fcPath`/functions/${name}`);
    deleted.push(name);
    await runActions(values.actions(resource.actions), 'success', 'remove', manifest.folder);
  }
  await runActions(values.actions(manifest.actions), 'success', 'remove', manifest.folder);
  context.output.answer({ deleted }, () => deleted.map((name) => `${name} is deleted`).join('\n'));
  return EXIT.ok;
}
