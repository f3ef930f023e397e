/** How one invocation came from another. */
export type LineageCause = 'call' | 'http' | 'timer' | 'object' | 'webhook' | 'destination';

/** One invocation of a chain: what ran, and how it had come about. */
export interface Ancestor {
  readonly functionName: string;
  readonly requestId: string;
  readonly cause: LineageCause;
}

/**
 * What an invocation descends from: rides through calls, triggers, destinations and object writes so that loops are found.
 * `hops` counts the invocations before this one.
 */
export interface Lineage {
  readonly hops: number;
  readonly rootRequestId: string;
  /** How this invocation came about; absent: it was called from outside. */
  readonly cause?: LineageCause;
  /** The invocations before this one, oldest first; of a long chain the oldest and the newest. */
  readonly chain?: readonly Ancestor[];
}

/** An invocation that causes another. */
export interface CausingInvocation {
  readonly functionName: string;
  readonly requestId: string;
  readonly lineage: Lineage;
}

/** Ancestors kept of one chain: the first, and the last ones before the event. */
export const CHAIN_KEPT = 32;
/** More hops than this are not counted: a number that arrives from outside must stay a small one. */
export const HOPS_MAX = 1_000_000;

/** A request header: passed on by callers whose chain the platform cannot see otherwise. It only ever adds hops. */
export const HOPS_HEADER = 'x-tidemill-hops';

/** The lineage of what has no invocation before it. */
export function rootLineage(requestId: string): Lineage {
  return { hops: 0, rootRequestId: requestId };
}

/** The lineage of what an invocation causes: one hop further, with that invocation at the end of the chain. */
export function descend(from: CausingInvocation, cause: LineageCause): Lineage {
  const { functionName, requestId, lineage } = from;
  const before = lineage.chain ?? [];
  const kept = before.length < CHAIN_KEPT ? before : [...before.slice(0, 1), ...before.slice(2)];
  return {
    hops: Math.min(lineage.hops + 1, HOPS_MAX),
    rootRequestId: lineage.rootRequestId,
    cause,
    chain: [...kept, { functionName, requestId, cause: lineage.cause ?? 'call' }],
  };
}

/** Of two lineages the one with more hops; undefined is none at all. */
export function deeper(a: Lineage | undefined, b: Lineage | undefined): Lineage | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.hops > a.hops ? b : a;
}

/** Whether the function called is one of those that the call descends from. */
export function isRecursive(lineage: Lineage, functionName: string): boolean {
  return lineage.chain?.some((ancestor) => ancestor.functionName === functionName) === true;
}

/** The chain for people, oldest first: `resize 1-66… → copy 1-67…`. */
export function chainText(lineage: Lineage): string {
  return (lineage.chain ?? []).map(({ functionName, requestId }) => `${functionName} ${requestId}`).join(' → ');
}
