import { TidemillError } from '../../core/domain/errors.ts';
import { readSessionInput } from '../../core/domain/session.ts';
import type { SessionScope, SessionView } from '../../core/ports/sessions.ts';
import { timestamp } from '../wire/timestamp.ts';
import { integerParameter } from './json-parameter.ts';
import { type Operation, type OperationContext, type OperationRequest, param } from './operation.ts';

const SESSIONS = '/functions/:functionName/sessions';

const LIST_QUERY = ['qualifier', 'limit', 'nextToken', 'sessionStatus', 'sessionId'];

/** FC reference 1.8: sessions of functions with session affinity. */
export const sessionOperations: readonly Operation[] = [
  {
    name: 'CreateSession',
    method: 'POST',
    path: SESSIONS,
    query: ['qualifier'],
    body: 'json',
    run: async ({ dispatch, sessions }, request) => {
      const input = readSessionInput(request.body);
      const { account, query, requestId } = request;
      const target = await dispatch.resolve(account, param(request, 'functionName'), query['qualifier']);
      return sessionShape(await sessions.create(target, input, requestId));
    },
  },
  { name: 'ListSessions', method: 'GET', path: SESSIONS, query: LIST_QUERY, run: listSessions },
  {
    name: 'GetSession',
    method: 'GET',
    path: `${SESSIONS}/:sessionId`,
    query: ['qualifier'],
    run: async (context, request) =>
      sessionShape(context.sessions.get(await scopeOf(context, request), param(request, 'sessionId'))),
  },
  {
    name: 'UpdateSession',
    method: 'PUT',
    path: `${SESSIONS}/:sessionId`,
    query: ['qualifier'],
    body: 'json',
    run: async (context, request) => {
      const { sessionId, ...changes } = readSessionInput(request.body);
      if (sessionId !== undefined) throw new TidemillError('InvalidArgument', 'sessionId of a session cannot change');
      const scope = await scopeOf(context, request);
      return sessionShape(await context.sessions.update(scope, param(request, 'sessionId'), changes));
    },
  },
  {
    name: 'DeleteSession',
    method: 'DELETE',
    path: `${SESSIONS}/:sessionId`,
    query: ['qualifier'],
    run: async (context, request) =>
      context.sessions.delete(await scopeOf(context, request), param(request, 'sessionId')),
  },
];

const PAGE = 20;
const PAGE_MAX = 100;

async function listSessions(context: OperationContext, request: OperationRequest): Promise<unknown> {
  const { account, query } = request;
  const name = param(request, 'functionName');
  const qualifier = query['qualifier'] === '' ? undefined : query['qualifier'];
  await context.control.getFunction(account, name, qualifier);
  const status = query['sessionStatus'] ?? '';
  if (status !== '' && status !== 'Active' && status !== 'Expired') {
    throw new TidemillError('InvalidArgument', `sessionStatus is '${status}', allowed is Active or Expired`);
  }
  const limit = integerParameter(query, 'limit') ?? PAGE;
  if (limit < 1 || limit > PAGE_MAX) throw new TidemillError('InvalidArgument', `limit must be 1 to ${PAGE_MAX}`);
  const from = query['nextToken'] ?? '';
  const sessionId = query['sessionId'] ?? '';
  const found = context.sessions
    .list(account, name, qualifier)
    .filter((session) => status === '' || session.status === status)
    .filter((session) => sessionId === '' || session.sessionId === sessionId)
    .filter((session) => session.sessionId >= from);
  const next = found[limit];
  return {
    sessions: found.slice(0, limit).map(sessionShape),
    ...(next === undefined ? {} : { nextToken: next.sessionId }),
  };
}

/** Throws when function or qualifier do not exist. */
async function scopeOf({ control }: OperationContext, request: OperationRequest): Promise<SessionScope> {
  const { account, query } = request;
  const functionName = param(request, 'functionName');
  const qualifier = query['qualifier'] === undefined || query['qualifier'] === '' ? 'LATEST' : query['qualifier'];
  await control.getFunction(account, functionName, qualifier);
  return { account, functionName, qualifier };
}

function sessionShape(session: SessionView): Record<string, unknown> {
  return {
    sessionId: session.sessionId,
    functionName: session.functionName,
    qualifier: session.qualifier,
    containerId: session.instanceId,
    sessionAffinityType: session.affinity,
    sessionStatus: session.status,
    sessionTTLInSeconds: session.times.ttlSeconds,
    sessionIdleTimeoutInSeconds: session.times.idleSeconds,
    disableSessionIdReuse: session.times.disableIdReuse,
    createdTime: timestamp(session.createdTime),
    lastModifiedTime: timestamp(session.lastModifiedTime),
  };
}
