import type { IncomingMessage, ServerResponse } from 'node:http';
import FindMyWay from 'find-my-way';
import type { Principal } from '../../core/domain/credentials.ts';
import { notSupported, TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { asTidemillError, sendError } from '../wire/answer.ts';
import { HttpConditions } from '../wire/request-conditions.ts';
import { readBody } from '../wire/body.ts';
import type { Exchange } from '../wire/exchange.ts';
import { FunctionArns } from '../wire/function-arns.ts';
import { causedBy } from '../wire/lineage.ts';
import { NodeExchange } from '../wire/node-exchange.ts';
import { pathOf, type Query, queryOf } from '../wire/query.ts';
import { requestIdOf } from '../wire/request-id.ts';
import { checkHeadLimits } from '../wire/request-limits.ts';
import { type AccessRule, ACCESS_RULES, needsBody, resourcesOf } from './access-rules.ts';
import { downloadCode } from './code-download.ts';
import { CODE_PATH, CodeLinks } from './code-links.ts';
import { checkDeployRights } from './deploy-rights.ts';
import { InstanceExec } from './instance-exec.ts';
import { invoke } from './invocation.ts';
import { parseJsonBody } from './json-body.ts';
import type { FcDoorDeps, Operation, OperationContext, OperationRequest } from './operation.ts';
import { operations } from './operations.ts';

const API = '/2023-03-30';
/** Older generations of the dialect, refused by name. */
const OTHER_API = /^\/(2016-08-15|2021-04-06)\//;

export interface FcDoor {
  /** True for paths of this dialect. Other paths may be given to `handle` as well: it answers PathNotSupported. */
  matches(req: IncomingMessage): boolean;
  /** Answers every request, whatever happens; never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** True for calls of functions, which `invoke` takes from whatever carries them. */
  invokes(method: string, target: string): boolean;
  /** Answers a request that `invokes` is true for; never throws. */
  invoke(exchange: Exchange): void;
  /** Sessions inside instances, which are WebSockets. */
  readonly exec: Pick<InstanceExec, 'takes' | 'open'>;
}

/** The Function Compute 3.0 API (FC reference 1 and 2): signatures, routes and shapes; the thinking is behind the ports. */
export function createFcDoor(deps: FcDoorDeps): FcDoor {
  const links = new CodeLinks({ secret: deps.linkSecret, publicUrl: deps.publicUrl, now: () => deps.clock.now() });
  const context = { ...deps, links, names: new FunctionArns(deps.region) };
  const door = new Door(context);
  return {
    matches: (req) => {
      const target = req.url ?? '/';
      return target.startsWith(`${API}/`) || target.startsWith(CODE_PATH) || OTHER_API.test(target);
    },
    handle: (req, res) => door.handle(req, res),
    invokes: (method, target) => method === 'POST' && INVOKE_PATH.test(target),
    invoke: (exchange) => door.take(exchange),
    exec: new InstanceExec(context),
  };
}

class Door {
  private readonly context: OperationContext;
  private readonly router = FindMyWay({ maxParamLength: LIMITS.requestPathBytes });

  constructor(context: OperationContext) {
    this.context = context;
    for (const operation of operations) {
      this.router.on(operation.method, API + operation.path, noHandler, operation);
    }
    this.router.on('POST', `${API}/functions/:functionName/invocations`, noHandler, INVOKE);
  }

  handle(req: IncomingMessage, res: ServerResponse): void {
    const requestId = requestIdOf(req, this.context.random, this.context.clock);
    this.answer(req, res, requestId).catch((error: unknown) => {
      const answer = asTidemillError(error, requestId, this.context.logger);
      sendError(res, requestId, answer);
      // what is left of the body is read and dropped, so that the client gets to see the answer
      req.resume();
    });
  }

  take(exchange: Exchange): void {
    const { head } = exchange;
    const requestId = requestIdOf(head, this.context.random, this.context.clock);
    this.called(exchange, requestId).catch((error: unknown) => {
      const refusal = asTidemillError(error, requestId, this.context.logger);
      this.context.refused?.(head, requestId, refusal);
      exchange.refuse(requestId, refusal);
    });
  }

  private async called(exchange: Exchange, requestId: string): Promise<void> {
    checkHeadLimits(exchange.head);
    const functionName = INVOKE_PATH.exec(exchange.head.url ?? '/')?.[1] ?? '';
    return this.invoke(exchange, requestId, functionName);
  }

  private async answer(req: IncomingMessage, res: ServerResponse, requestId: string): Promise<void> {
    checkHeadLimits(req);
    const target = req.url ?? '/';
    if (target.startsWith(CODE_PATH)) return downloadCode(this.context, req, res, requestId);
    const method = req.method ?? 'GET';
    const functionName = method === 'POST' ? INVOKE_PATH.exec(target)?.[1] : undefined;
    if (functionName !== undefined) return this.invoke(new NodeExchange(req, res), requestId, functionName);
    const found = isRouted(method) ? this.router.find(method, target) : null;
    const route = found?.store as Operation | typeof INVOKE | null | undefined;
    if (found === null || route === null || route === undefined) throw this.unknownPath(method, target);
    if (route === INVOKE) {
      return this.invoke(new NodeExchange(req, res), requestId, found.params['functionName'] ?? '');
    }
    const { principal, bodyHash } = this.context.verifier.verifyApi(req);
    this.context.rate.take(principal.account);
    return this.run(route, req, res, { requestId, principal, params: found.params, bodyHash });
  }

  private invoke(exchange: Exchange, requestId: string, functionName: string): Promise<void> {
    const { head } = exchange;
    const { principal, bodyHash } = this.context.verifier.verifyApi(head);
    const query = queryOf(head.url ?? '/');
    checkQuery('InvokeFunction', INVOKE_QUERY, query);
    const qualifier = query['qualifier'] === '' ? undefined : query['qualifier'];
    return invoke(this.context, exchange, { requestId, principal, functionName, qualifier, bodyHash });
  }

  private async run(
    operation: Operation,
    req: IncomingMessage,
    res: ServerResponse,
    call: {
      readonly requestId: string;
      readonly principal: Principal;
      readonly params: Readonly<Record<string, string | undefined>>;
      readonly bodyHash: string | undefined;
    },
  ): Promise<void> {
    const { requestId, principal, params, bodyHash } = call;
    const query = queryOf(req.url ?? '/');
    if (operation.query !== 'any') checkQuery(operation.name, operation.query ?? [], query);
    const rule = ACCESS_RULES[operation.name];
    if (rule === undefined) throw new Error(`no right is named for the operation ${operation.name}`);
    const conditions = new HttpConditions(req);
    const head = { account: principal.account, requestId, params, query, body: {}, lineage: undefined };
    if (!needsBody(rule)) this.checkRight(rule, principal, head, conditions);
    const bytes = await readBody(req, LIMITS.controlBodyBytes, bodyHash);
    if (operation.body === undefined && bytes.length > 0) {
      throw new TidemillError('InvalidArgument', `The operation ${operation.name} takes no request body`);
    }
    const body = operation.body === 'json' ? parseJsonBody(bytes) : {};
    const lineage = causedBy(this.context.callers, req, principal, requestId, 'call');
    const request = { ...head, body, lineage };
    if (needsBody(rule)) this.checkRight(rule, principal, request, conditions);
    await checkDeployRights(this.context, operation.name, { principal, request, conditions });
    const answer = await operation.run(this.context, request);
    sendAnswer(res, requestId, answer);
  }

  private checkRight(
    rule: AccessRule,
    principal: Principal,
    request: OperationRequest,
    conditions: HttpConditions,
  ): void {
    const prefix = `acs:fc:${this.context.region}:${principal.account}:`;
    for (const resource of resourcesOf(rule, request)) {
      this.context.access.check(principal, rule.action, prefix + resource, conditions);
    }
  }

  private unknownPath(method: string, target: string): TidemillError {
    if (OTHER_API.test(target)) {
      return notSupported(
        `The path ${pathOf(target)}`,
        'Use the API version 2023-03-30; send code inline as code.zipFile.',
      );
    }
    return new TidemillError('PathNotSupported', `'${method}' against '${pathOf(target)}' is not supported`);
  }
}

const INVOKE = 'InvokeFunction';
/** The call that nearly all calls are, found without the router; names with escapes in them take the router's way. */
const INVOKE_PATH = /^\/2023-03-30\/functions\/([\w-]+)\/invocations(?:\?|$)/;
const INVOKE_QUERY = ['qualifier'];

/** The router only finds; the door runs what was found. */
function noHandler(): void {}

function isRouted(method: string): method is Operation['method'] {
  return method === 'GET' || method === 'POST' || method === 'PUT' || method === 'DELETE';
}

function checkQuery(operation: string, allowed: readonly string[], query: Query): void {
  for (const name in query) {
    if (allowed.includes(name)) continue;
    throw new TidemillError('InvalidArgument', `The operation ${operation} has no query parameter '${name}'`, {
      remedy: allowed.length === 0 ? 'Send no query.' : `Known are: ${allowed.join(', ')}.`,
    });
  }
}

function sendAnswer(res: ServerResponse, requestId: string, answer: unknown): void {
  const headers = ['x-fc-request-id', requestId, 'x-acs-request-id', requestId];
  if (answer === undefined) {
    res.writeHead(204, headers);
    res.end();
    return;
  }
  const body = Buffer.from(JSON.stringify(answer));
  headers.push('content-type', 'application/json', 'content-length', String(body.length));
  res.writeHead(200, headers);
  res.end(body);
}
