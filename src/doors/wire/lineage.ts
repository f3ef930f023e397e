import type { Principal } from '../../core/domain/credentials.ts';
import {
  descend,
  HOPS_HEADER,
  HOPS_MAX,
  type Lineage,
  type LineageCause,
  rootLineage,
} from '../../core/domain/lineage.ts';
import type { CallerLineage } from '../../core/ports/caller-lineage.ts';
import type { RequestHead } from './exchange.ts';

/**
 * The lineage of what a request causes; undefined when the request comes from outside. The number of hops that a request
 * says about itself counts when it is the larger one. The first request is never taken from a header: it could be another's.
 */
export function causedBy(
  callers: CallerLineage,
  req: RequestHead,
  principal: Principal | undefined,
  requestId: string,
  cause: LineageCause,
): Lineage | undefined {
  const caller = callers.callerOf(req.socket.remoteAddress, principal);
  const told = req.headers[HOPS_HEADER];
  if (caller === undefined && told === undefined) return undefined;
  const known = caller === undefined ? undefined : descend(caller, cause);
  const hops = hopsOf(told);
  if (hops <= (known?.hops ?? 0)) return known;
  return { ...(known ?? rootLineage(requestId)), hops, cause };
}

/** The lineage of an invocation that a request asks for. */
export function lineageOf(
  callers: CallerLineage,
  req: RequestHead,
  principal: Principal | undefined,
  requestId: string,
  cause: LineageCause,
): Lineage {
  return causedBy(callers, req, principal, requestId, cause) ?? rootLineage(requestId);
}

function hopsOf(text: string | string[] | undefined): number {
  return typeof text === 'string' && /^\d{1,7}$/.test(text) ? Math.min(Number(text), HOPS_MAX) : 0;
}
