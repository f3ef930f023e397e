/** Something with a lifetime: whoever creates it disposes of it. `dispose` may be called more than once. */
export interface Disposable {
  dispose(): void;
}

/** Wraps a function so that it runs at most once, when disposed. */
export function toDisposable(release: () => void): Disposable {
  let done = false;
  return {
    dispose() {
      if (done) return;
      done = true;
      release();
    },
  };
}

/**
 * Owns disposables and releases them in reverse order of registration. Adding to a store that is already disposed
 * disposes the newcomer at once, so that a creation racing with shutdown leaks nothing.
 */
export class DisposableStore implements Disposable {
  private items: Disposable[] | undefined = [];

  add<T extends Disposable>(item: T): T {
    if (this.items === undefined) item.dispose();
    else this.items.push(item);
    return item;
  }

  dispose(): void {
    const items = this.items;
    this.items = undefined;
    if (items === undefined) return;
    for (const item of items.reverse()) item.dispose();
  }
}
