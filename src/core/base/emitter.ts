import { type Disposable, toDisposable } from './disposable.ts';

export type Listener<T> = (value: T) => void;

/** Announces state to listeners, in order of subscription, synchronously. A listener that throws is a bug and propagates. */
export class Emitter<T> {
  private readonly listeners = new Set<Listener<T>>();

  subscribe(listener: Listener<T>): Disposable {
    this.listeners.add(listener);
    return toDisposable(() => this.listeners.delete(listener));
  }

  emit(value: T): void {
    for (const listener of this.listeners) listener(value);
  }

  get size(): number {
    return this.listeners.size;
  }
}
