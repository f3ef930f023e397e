import type { Disposable } from '../../core/base/disposable.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { FailedCalls } from '../../core/ports/failed-calls.ts';

/** With a function goes what its failed calls were given. */
export function forgetDeleted(parts: {
  readonly catalog: Pick<Catalog, 'onFunction' | 'function'>;
  readonly failed: Pick<FailedCalls, 'forget'>;
  readonly onError: (error: unknown) => void;
}): Disposable {
  return parts.catalog.onFunction(({ account, name }) => {
    const work = async (): Promise<void> => {
      if ((await parts.catalog.function(account, name)) === undefined) await parts.failed.forget(account, name);
    };
    work().catch(parts.onError);
  });
}
