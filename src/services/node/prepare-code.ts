import type { VersionSpec } from '../../core/domain/version-spec.ts';
import type { CodeCache } from '../../core/ports/code-cache.ts';

/** Unpacks code and layers of a version into the cache and lets go of them: the next start finds them there. */
export async function prepareCode(cache: CodeCache, spec: VersionSpec): Promise<void> {
  const wanted = [cache.package(spec.code)];
  if (spec.layers.length > 0) wanted.push(cache.layers(spec.layers.map((layer) => layer.code)));
  const results = await Promise.allSettled(wanted);
  for (const result of results) if (result.status === 'fulfilled') result.value.release();
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
