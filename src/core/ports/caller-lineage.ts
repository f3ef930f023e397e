import type { Principal } from '../domain/credentials.ts';
import type { CausingInvocation } from '../domain/lineage.ts';

/**
 * Finds the invocation that makes a request to the platform. Functions need not co-operate: an instance is known by the
 * network address that its connection comes from, or else by the credentials that it signs with.
 *
 * Promises: an instance that runs one call at a time is found exactly. Where several calls come into question (an instance
 * that runs many at once, credentials shared by the instances of a function) it is the one with the most hops, so that a
 * chain is rather taken for longer than for shorter. Between calls it is the last one. Undefined: the request comes from
 * outside. Synchronous and one map look-up for those: it is on the warm path.
 */
export interface CallerLineage {
  callerOf(remoteAddress: string | undefined, principal: Principal | undefined): CausingInvocation | undefined;
}
