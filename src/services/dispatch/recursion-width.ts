import type { Lineage } from '../../core/domain/lineage.ts';

/** What is known of the calls that a function makes of itself, from one first request. */
interface Recursion {
  /** Depths of those that run. */
  readonly running: number[];
  waiting: Waiter[];
}

interface Waiter {
  readonly depth: number;
  readonly maxHops: number;
  admit(): void;
}

/** How often a function stands in the chain of a call of its own. */
export function recursionDepth(lineage: Lineage, functionName: string): number {
  return lineage.chain?.filter((ancestor) => ancestor.functionName === functionName).length ?? 0;
}

/** How many events at that depth of a recursion run at the same time: half as many with each level, at least one. */
export function widthAt(depth: number, maxHops: number): number {
  return Math.max(1, Math.floor(maxHops / 2 ** depth));
}

/**
 * The events that a function causes for itself run fewer at the same time the deeper they are, the deepest first. So a loop
 * that makes several events of one is followed down one branch to its hop limit after a few runs, whatever the number of
 * its branches; without this all branches grow side by side. Recursion that is meant has a higher limit, and so more room.
 */
export class RecursionWidth {
  private readonly recursions = new Map<string, Recursion>();

  get size(): number {
    return this.recursions.size;
  }

  /**
   * Resolves when the event may run; call the answer when it has ended. `key`: first request and function. Rejects with the
   * signal's reason.
   */
  async enter(key: string, depth: number, maxHops: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const recursion = this.recursions.get(key) ?? { running: [], waiting: [] };
    this.recursions.set(key, recursion);
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        depth,
        maxHops,
        admit() {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = (): void => {
        recursion.waiting = recursion.waiting.filter((other) => other !== waiter);
        this.forget(key, recursion);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      recursion.waiting.push(waiter);
      this.admit(recursion);
    });
    return () => {
      recursion.running.splice(recursion.running.indexOf(depth), 1);
      this.admit(recursion);
      this.forget(key, recursion);
    };
  }

  /** The deepest one, running or waiting, says how much room there is. */
  private admit(recursion: Recursion): void {
    for (;;) {
      let deepest: Waiter | undefined;
      for (const waiter of recursion.waiting) {
        if (deepest === undefined || waiter.depth > deepest.depth) deepest = waiter;
      }
      if (deepest === undefined) return;
      const depth = Math.max(deepest.depth, ...recursion.running);
      if (recursion.running.length >= widthAt(depth, deepest.maxHops)) return;
      recursion.waiting = recursion.waiting.filter((other) => other !== deepest);
      recursion.running.push(deepest.depth);
      deepest.admit();
    }
  }

  private forget(key: string, recursion: Recursion): void {
    if (recursion.running.length === 0 && recursion.waiting.length === 0 && this.recursions.get(key) === recursion) {
      this.recursions.delete(key);
    }
  }
}
