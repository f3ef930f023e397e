import type { Disposable } from '../base/disposable.ts';

/** A stored value with the revision it was written at. Revisions grow over the whole store, never repeat, start at 1. */
export interface MetadataEntry {
  readonly key: string;
  /** JSON data; never mutate. */
  readonly value: unknown;
  readonly revision: number;
}

export type MetadataChange =
  | { readonly type: 'put'; readonly entry: MetadataEntry }
  | { readonly type: 'delete'; readonly key: string; readonly revision: number };

export type WriteResult =
  | { readonly ok: true; readonly revision: number }
  | { readonly ok: false; readonly actual: number };

export interface ListOptions {
  /** Start after this key (exclusive), for paging. */
  readonly after?: string;
  readonly limit?: number;
  /** Descending key order; `after` then means "below". */
  readonly reverse?: boolean;
}

/**
 * Small JSON documents under `/`-separated keys (characters `A-Za-z0-9_-./=`), ordered by key (byte order).
 *
 * Promises: a resolved write is on disk; compare-and-swap on the revision; `get` after a resolved write sees it; `watch`
 * delivers every change under the prefix once, in revision order, after it is durable.
 */
export interface MetadataStore {
  get(key: string): Promise<MetadataEntry | undefined>;
  /** `expect`: revision that must be current; 0 = must not exist; undefined = whatever is there. */
  put(key: string, value: unknown, expect?: number): Promise<WriteResult>;
  /** Deleting what does not exist is ok (revision 0) unless `expect` says otherwise. */
  delete(key: string, expect?: number): Promise<WriteResult>;
  list(prefix: string, options?: ListOptions): Promise<readonly MetadataEntry[]>;
  watch(prefix: string, listener: (change: MetadataChange) => void): Disposable;
  close(): Promise<void>;
}
