import { TidemillError } from '../../src/core/domain/errors.ts';

/** One parser of outside bytes, as the fuzzer sees it. */
export interface FuzzTarget {
  readonly name: string;
  /** Good inputs to begin with; words of the dictionary are cut from them too. */
  readonly seeds: readonly string[];
  /** More words that the parser knows. */
  readonly words?: readonly string[];
  /** Throws on a broken promise; refusals that the parser documents must pass `refused`. */
  run(bytes: Buffer): unknown;
  /** Whether this is how the parser refuses; without it: a TidemillError. */
  refused?(error: unknown): boolean;
}

/** Whether a target may throw this. */
export function isRefusal(target: FuzzTarget, error: unknown): boolean {
  return target.refused?.(error) ?? (error instanceof TidemillError && error.code !== 'InternalServerError');
}
