import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AliasRecord } from '../../core/domain/function.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { Target } from '../../core/ports/dispatch.ts';

/**
 * Resolves a qualifier in the order of FC reference 7: absent or LATEST is the head, digits are a version, anything else an
 * alias, which picks one of its versions by weight every time.
 */
export async function resolveTarget(
  deps: { readonly catalog: Catalog; readonly random: Random },
  account: string,
  functionName: string,
  qualifier: string | undefined,
): Promise<Target> {
  const { catalog, random } = deps;
  const record = await catalog.function(account, functionName);
  if (record === undefined) throw notFound(functionName);
  const restriction = record.invocationRestriction;
  if (restriction?.disable === true) {
    const reason = restriction.reason === '' ? '' : `: ${restriction.reason}`;
    throw new TidemillError('AccessDenied', `invocation of function '${functionName}' is disabled${reason}`, {
      remedy: 'Enable the invocation of the function again (EnableFunctionInvocation).',
    });
  }
  if (qualifier === undefined || qualifier === '' || qualifier === 'LATEST') {
    const spec = await catalog.spec(account, functionName, 'LATEST');
    if (spec === undefined) throw notFound(functionName);
    return { spec, qualifier: 'LATEST' };
  }
  let versionId = qualifier;
  if (!/^\d+$/.test(qualifier)) {
    const alias = await catalog.alias(account, functionName, qualifier);
    if (alias === undefined) throw new TidemillError('AliasNotFound', `alias '${qualifier}' does not exist`);
    versionId = pickVersion(alias, random.float());
  }
  const spec = await catalog.spec(account, functionName, versionId);
  if (spec === undefined) throw new TidemillError('VersionNotFound', `version '${versionId}' does not exist`);
  return { spec, qualifier };
}

/** `draw` is in [0, 1). The extra versions take their shares from the front, the main version the rest. */
export function pickVersion(alias: AliasRecord, draw: number): string {
  let rest = draw;
  for (const [versionId, weight] of Object.entries(alias.additionalVersionWeight)) {
    if (rest < weight) return versionId;
    rest -= weight;
  }
  return alias.versionId;
}

function notFound(name: string): TidemillError {
  return new TidemillError('FunctionNotFound', `function '${name}' does not exist`);
}
