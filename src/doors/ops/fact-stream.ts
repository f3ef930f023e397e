import type { FactLog, FactQuery } from '../../core/ports/fact-log.ts';
import type { Fact } from '../../core/domain/fact.ts';

const PAGE = 500;

/**
 * The newest facts that match, oldest of them first, then (with `follow`) every further one in order, each once, until
 * the signal ends it. New facts only wake the reader; what it yields always comes from the log, so nothing is doubled.
 */
export async function* factStream(
  log: FactLog,
  query: Omit<FactQuery, 'after'>,
  options: { readonly follow: boolean; readonly signal: AbortSignal },
): AsyncGenerator<Fact> {
  const bell = new Bell();
  const onAbort = (): void => bell.ring();
  const subscription = options.follow
    ? log.subscribe((fact) => {
        if (fact.account === query.account && fact.functionName === query.functionName) bell.ring();
      })
    : undefined;
  options.signal.addEventListener('abort', onAbort);
  try {
    let page = await log.latest(query);
    yield* page.facts;
    while (options.follow && !options.signal.aborted) {
      const heard = bell.next();
      page = await log.read({ ...query, limit: PAGE, after: page.cursor });
      yield* page.facts;
      if (page.facts.length < PAGE && !options.signal.aborted) await heard;
    }
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    subscription?.dispose();
  }
}

/** Wakes one waiter; a ring between `next` calls is not lost for the promise already taken. */
class Bell {
  private wake: (() => void) | undefined;

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  ring(): void {
    this.wake?.();
  }
}
