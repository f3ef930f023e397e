import type { Disposable } from '../../core/base/disposable.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { NodePool } from '../../core/ports/node-pool.ts';

/**
 * Makes the nodes unpack a function's code when it is deployed or changed, so that its first call finds it there. Beside the
 * deploy: nobody waits for it, and what goes wrong is told by the start that needs the code.
 */
export function prepareDeployed(parts: {
  readonly catalog: Pick<Catalog, 'onFunction' | 'spec'>;
  readonly pool: Pick<NodePool, 'prepare'>;
  readonly onError: (error: unknown) => void;
}): Disposable {
  const prepared = new Set<string>();
  return parts.catalog.onFunction(({ account, name }) => {
    const work = async (): Promise<void> => {
      const spec = await parts.catalog.spec(account, name, 'LATEST');
      if (spec === undefined || prepared.has(spec.key)) return;
      remember(prepared, spec.key);
      await parts.pool.prepare(spec);
    };
    work().catch(parts.onError);
  });
}

const REMEMBERED = 10_000;

/** The same version is announced with each change around it: once is enough. */
function remember(keys: Set<string>, key: string): void {
  keys.add(key);
  if (keys.size <= REMEMBERED) return;
  for (const oldest of keys) {
    keys.delete(oldest);
    return;
  }
}
