import type { AttachedPolicy } from './document.ts';

/** The statement that decided. */
export interface DecidedBy {
  readonly policy: string;
  readonly source: AttachedPolicy['source'];
  /** Place in the document, from 1. */
  readonly statement: number;
}

/** What the policies say about one request, and why: `reason` is a sentence for people. */
export type Decision =
  | { readonly effect: 'allow'; readonly by?: DecidedBy; readonly reason: string }
  | { readonly effect: 'explicit-deny'; readonly by: DecidedBy; readonly reason: string }
  | { readonly effect: 'implicit-deny'; readonly reason: string };

/**
 * What conditions may ask about a request, by the key in lower case (`acs:sourceip`): a `Map` will do. Undefined: the
 * request has no such key. Values of several parts (tags, list headers) are lists.
 */
export interface RequestConditions {
  get(key: string): string | readonly string[] | undefined;
}

/** A request that has no keys. */
export const NO_CONDITIONS: RequestConditions = { get: () => undefined };

export interface PolicyRequest {
  readonly action: string;
  readonly resource: string;
  readonly context: RequestConditions;
}

/** One statement that was looked at, and what kept it from matching; undefined: it matched. */
export interface Considered extends DecidedBy {
  readonly statementEffect: 'Allow' | 'Deny';
  readonly mismatch?: string;
}
