import type { CodePackage } from '../domain/function.ts';

/** What a path inside a code folder is, links followed as long as they stay inside. */
export type CodePathKind = 'missing' | 'folder' | 'file' | 'executable';

/** A read-only folder of the host holding unpacked code. It stays on disk until `release`. */
export interface CodeFolder {
  /** Absolute path, mountable. */
  readonly path: string;
  /** What `relativePath` is inside the folder; `missing` also for anything that leads outside. */
  look(relativePath: string): Promise<CodePathKind>;
  /** Says that this holder no longer needs the folder. Idempotent. */
  release(): void;
}

/**
 * Unpacked code of this machine, content-addressed within each account: what one has does not show in the times of another.
 *
 * Promises: a package is unpacked once however many callers ask at the same time; a folder given out is complete, readable by
 * every user and never changes; it is not evicted while held; a killed process leaves nothing half-done under a final name.
 * Rejects with TidemillError InvalidArgument for an archive that may not be unpacked, InternalServerError when the blob is
 * missing or damaged.
 */
export interface CodeCache {
  /** The unpacked form of one package. */
  package(code: CodePackage): Promise<CodeFolder>;
  /** All layers merged into one folder, the earlier one winning on conflict. At least one. */
  layers(codes: readonly CodePackage[]): Promise<CodeFolder>;
  /** Stops background work; folders stay. */
  close(): Promise<void>;
}
