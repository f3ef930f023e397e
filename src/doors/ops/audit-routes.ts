import type { ServerResponse } from 'node:http';
import type { OpenDoorDeps } from './door.ts';
import { type FunctionRequest, type FunctionRoute, limitOf, sendJson } from './function-routes.ts';

const MAX_RECORDS = 1_000;
/** The vendor's name of the right to read such records. */
const LOOK_UP = 'actiontrail:LookupEvents';

/** Signed routes about the audit log, below `/tidemill/v1`. */
export const auditRoutes: readonly FunctionRoute[] = [
  { method: 'GET', path: '/audit', query: ['before', 'limit'], action: LOOK_UP, about: 'account', run: list },
  { method: 'GET', path: '/audit/verify', query: [], action: LOOK_UP, about: 'account', run: verify },
];

/** `{records: [...]}`, newest first: the account's own, and for the operator all; `before` continues below a number. */
async function list(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const { account, query, principal } = request;
  const before = Number(query['before'] ?? Number.POSITIVE_INFINITY);
  const scope = deps.accounts.isOperator(principal) ? {} : { account };
  const records = await deps.audit.read({ ...scope, before, limit: limitOf(query, MAX_RECORDS) });
  sendJson(res, request, { records });
}

/** `{sound, ...}`: whether the log is what was written, from its oldest record on. */
async function verify(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  sendJson(res, request, { ...(await deps.audit.verify()) });
}
