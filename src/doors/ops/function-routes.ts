import type { ServerResponse } from 'node:http';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { Fact } from '../../core/domain/fact.ts';
import { InstanceStartError } from '../../core/ports/node-pool.ts';
import { cancellation, sendStream } from '../wire/answer.ts';
import type { Query } from '../wire/query.ts';
import type { OpenDoorDeps } from './door.ts';
import { factStream } from './fact-stream.ts';

export interface FunctionRequest {
  readonly account: string;
  readonly principal: Principal;
  readonly name: string;
  readonly query: Query;
  readonly requestId: string;
  /** The JSON body, for routes that take one. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Throws AccessDenied unless the caller may do this with the function; for routes that learn late which one it is. */
  check(functionName: string): void;
}

export interface FunctionRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query: readonly string[];
  /** The right that it takes, on a function; see docs/reference/policies.md. */
  readonly action: string;
  /** The function is the `name` of the path, the query's `function` (none: all), or `found`: then the route checks it. `account`:
   * it is about the account itself. */
  readonly about: 'name' | 'function' | 'found' | 'account';
  /** Whether it takes a JSON body; default: none. */
  readonly body?: boolean;
  run(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void>;
}

const MAX_FACTS = 1_000;

/** Signed routes about one function, below `/tidemill/v1`. */
export const functionRoutes: readonly FunctionRoute[] = [
  {
    method: 'GET',
    path: '/functions/:name/logs',
    query: ['since', 'requestId', 'follow', 'limit'],
    action: 'fc:GetFunctionLogs',
    about: 'name',
    run: logs,
  },
  {
    method: 'GET',
    path: '/functions/:name/invocations',
    query: ['since', 'limit'],
    action: 'fc:ListInvocations',
    about: 'name',
    run: invocations,
  },
  {
    method: 'GET',
    path: '/functions/:name/instances',
    query: [],
    action: 'fc:ListInstances',
    about: 'name',
    run: instances,
  },
  {
    method: 'POST',
    path: '/functions/:name/warm',
    query: ['qualifier'],
    action: 'fc:InvokeFunction',
    about: 'name',
    run: warm,
  },
];

/** Facts as NDJSON, oldest first; with `follow=true` the answer stays open. A function that is gone still has its facts. */
async function logs(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const { account, name, query, requestId } = request;
  const since = query['since'];
  const wanted = query['requestId'];
  const facts = factStream(
    deps.facts,
    {
      account,
      functionName: name,
      limit: limitOf(query, 100),
      ...(since === undefined ? {} : { since: timeOf('since', since) }),
      ...(wanted === undefined ? {} : { requestId: wanted }),
    },
    { follow: booleanOf(query, 'follow'), signal: AbortSignal.any([cancellation(res).signal, deps.ending]) },
  );
  res.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-store',
    'x-fc-request-id': requestId,
  });
  await sendStream(res, lines(facts));
}

async function* lines(facts: AsyncIterable<Fact>): AsyncGenerator<Uint8Array> {
  for await (const fact of facts) yield Buffer.from(`${JSON.stringify(fact)}\n`);
}

async function invocations(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const { account, name, query } = request;
  await deps.dispatch.resolve(account, name, undefined);
  const since = query['since'];
  const { facts } = await deps.facts.latest({
    account,
    functionName: name,
    types: ['invocation-settled'],
    limit: limitOf(query, 20),
    ...(since === undefined ? {} : { since: timeOf('since', since) }),
  });
  sendJson(res, request, { invocations: facts });
}

async function instances(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  await deps.dispatch.resolve(request.account, request.name, undefined);
  sendJson(res, request, { instances: deps.scheduling.instances(request.account, request.name) });
}

/**
 * `{ok:true, instanceId, startLog}`, or `{ok:false, kind, message, error, startLog}` when the function's own code keeps an
 * instance from starting; `error` is the payload `{errorMessage, errorType, stackTrace}` of its runtime, when it gave one.
 */
async function warm(deps: OpenDoorDeps, request: FunctionRequest, res: ServerResponse): Promise<void> {
  const target = await deps.dispatch.resolve(request.account, request.name, request.query['qualifier']);
  try {
    sendJson(res, request, { ok: true, ...(await deps.dispatch.warm(target)) });
  } catch (error) {
    if (!(error instanceof InstanceStartError)) throw error;
    const { kind, message, payload, startLog } = error.failure;
    sendJson(res, request, {
      ok: false,
      kind,
      message,
      startLog,
      ...(payload === undefined ? {} : { error: parsed(payload) }),
    });
  }
}

function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}

/** Answers 200 with JSON. */
export function sendJson(res: ServerResponse, request: FunctionRequest, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  res.writeHead(200, {
    'content-type': 'application/json',
    'content-length': body.length,
    'x-fc-request-id': request.requestId,
  });
  res.end(body);
}

/** `limit` of a query, 1 to 1,000. */
export function limitOf(query: Query, byDefault: number): number {
  const text = query['limit'];
  if (text === undefined) return byDefault;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_FACTS) return limit;
  throw new TidemillError('InvalidArgument', `The query parameter 'limit' is '${text}', allowed is 1 to ${MAX_FACTS}`);
}

function booleanOf(query: Query, name: string): boolean {
  const text = query[name];
  if (text === undefined || text === 'false') return false;
  if (text === 'true') return true;
  throw new TidemillError('InvalidArgument', `The query parameter '${name}' is '${text}', allowed is true or false`);
}

/** Milliseconds since the epoch, or an ISO 8601 time. */
export function timeOf(name: string, text: string): number {
  const time = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new TidemillError('InvalidArgument', `The query parameter '${name}' is '${text}', it must be a time`, {
    remedy: 'Send milliseconds since the epoch or an ISO 8601 time.',
  });
}
