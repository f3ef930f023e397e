import type { IncomingMessage, ServerResponse } from 'node:http';
import FindMyWay from 'find-my-way';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import { functionArn } from '../../core/domain/arn.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Access } from '../../core/ports/access.ts';
import type { AuditLog } from '../../core/ports/audit-log.ts';
import type { Accounts, Quotas } from '../../core/ports/accounts.ts';
import type { AsyncTasks } from '../../core/ports/async-tasks.ts';
import type { BlobStore } from '../../core/ports/blob-store.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { DeadLetters } from '../../core/ports/dead-letters.ts';
import type { Dispatch } from '../../core/ports/dispatch.ts';
import type { EventQueue, QueueDepth } from '../../core/ports/event-queue.ts';
import type { FactLog } from '../../core/ports/fact-log.ts';
import type { FailedCalls } from '../../core/ports/failed-calls.ts';
import type { NodeInfo, NodePool } from '../../core/ports/node-pool.ts';
import type { PolicySimulation } from '../../core/ports/policy-simulation.ts';
import type { ObjectStore } from '../../core/ports/object-store.ts';
import type { Scheduling } from '../../core/ports/scheduling.ts';
import type { Acs3Verifier } from '../wire/acs3-verifier.ts';
import { asTidemillError, sendError } from '../wire/answer.ts';
import { HttpConditions } from '../wire/request-conditions.ts';
import { readBody } from '../wire/body.ts';
import type { ControlRate } from '../wire/control-rate.ts';
import { pathOf, type Query, queryOf } from '../wire/query.ts';
import { requestIdOf } from '../wire/request-id.ts';
import { checkHeadLimits } from '../wire/request-limits.ts';
import { type Gauges, MetricsFold } from './metrics.ts';
import type { FunctionRoute } from './function-routes.ts';
import { opsRoutes } from './routes.ts';

/** Path prefix of our own operations API; only the routes below belong to it. */
const OPS_API = '/tidemill/v1';
/** Functions with the deepest queues that a scrape shows: metrics must not grow with the number of functions. */
const MAX_QUEUES = 1_000;
/** Accounts that a scrape shows, the first ones. */
const MAX_ACCOUNTS = 200;

/** What the ops door needs from the rest of the house. */
export interface OpsDoorDeps {
  readonly dispatch: Dispatch;
  readonly scheduling: Scheduling;
  readonly accounts: Pick<Accounts, 'isOperator' | 'list'>;
  readonly quotas: Pick<Quotas, 'of'>;
  readonly objects: Pick<ObjectStore, 'usage'>;
  readonly facts: FactLog;
  readonly nodes: NodePool;
  readonly queue: EventQueue;
  readonly letters: DeadLetters;
  readonly tasks: AsyncTasks;
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  /** Undefined: payloads of failed calls are not kept. */
  readonly failed: Pick<FailedCalls, 'find'> | undefined;
  readonly region: string;
  readonly verifier: Acs3Verifier;
  readonly rate: ControlRate;
  readonly audit: Pick<AuditLog, 'read' | 'verify'>;
  readonly access: Access;
  readonly simulation: PolicySimulation;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Of the platform, shown by `health`. */
  readonly version: string;
}

/** The same, once the door is open. */
export interface OpenDoorDeps extends OpsDoorDeps {
  /** Aborts when the door closes. */
  readonly ending: AbortSignal;
}

export interface OpsDoor {
  matches(req: IncomingMessage): boolean;
  /** Answers every request, whatever happens; never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Stops counting facts, and ends the answers that follow a log: they have no end of their own. */
  dispose(): void;
}

/** What the command line needs beyond the FC dialect: logs, invocations, instances, warm-up, health, metrics. */
export function createOpsDoor(deps: OpsDoorDeps): OpsDoor {
  const metrics = new MetricsFold();
  const ending = new AbortController();
  const subscription = deps.facts.subscribe((fact) => metrics.record(fact));
  const router = FindMyWay({ maxParamLength: LIMITS.requestPathBytes });
  for (const route of opsRoutes) router.on(route.method, OPS_API + route.path, () => {}, route);
  return {
    matches: (req) => (req.url ?? '/').startsWith(`${OPS_API}/`),
    handle: (req, res) => {
      const requestId = requestIdOf(req, deps.random, deps.clock);
      answer({ ...deps, ending: ending.signal }, metrics, router, req, res, requestId).catch((error: unknown) => {
        sendError(res, requestId, asTidemillError(error, requestId, deps.logger));
        req.resume();
      });
    },
    dispose: () => {
      subscription.dispose();
      ending.abort();
    },
  };
}

async function answer(
  deps: OpenDoorDeps,
  metrics: MetricsFold,
  router: ReturnType<typeof FindMyWay>,
  req: IncomingMessage,
  res: ServerResponse,
  requestId: string,
): Promise<void> {
  checkHeadLimits(req);
  const target = req.url ?? '/';
  const path = pathOf(target);
  const method = req.method ?? 'GET';
  if (method === 'GET' && path === `${OPS_API}/health`) {
    return sendText(res, requestId, 'application/json', JSON.stringify({ ok: true, version: deps.version }));
  }
  if (method === 'GET' && path === `${OPS_API}/metrics`) {
    if (!fromThisMachine(req)) operatorOnly(deps, deps.verifier.verifyApi(req).principal);
    const text = metrics.render(await gauges(deps));
    return sendText(res, requestId, 'text/plain; version=0.0.4; charset=utf-8', text);
  }
  const found = method === 'GET' || method === 'POST' ? router.find(method, target) : null;
  if (found === null) throw new TidemillError('PathNotSupported', `'${method}' against '${path}' is not supported`);
  const route = found.store as FunctionRoute;
  const { principal, bodyHash } = deps.verifier.verifyApi(req);
  deps.rate.take(principal.account);
  const query = queryOf(target);
  const name = found.params['name'] ?? '';
  const { account } = principal;
  const conditions = new HttpConditions(req);
  const check = (functionName: string): void =>
    deps.access.check(principal, route.action, functionArn(deps.region, account, functionName), conditions);
  if (route.about === 'name') check(name);
  if (route.about === 'function') check(query['function'] ?? '*');
  checkQuery(route, query);
  if (route.about === 'account') deps.access.check(principal, route.action, `acs:ram::${account}:*`, conditions);
  const bytes = await readBody(req, LIMITS.operationBodyBytes, bodyHash);
  if (route.body !== true && bytes.length > 0) {
    throw new TidemillError('InvalidArgument', 'This operation takes no request body');
  }
  const body = route.body === true ? jsonObject(bytes) : {};
  await route.run(deps, { account, principal, name, query, requestId, body, check }, res);
}

function jsonObject(bytes: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TidemillError('InvalidArgument', 'The request body is not a JSON object');
}

/** Metrics tell of every account. */
function operatorOnly({ accounts }: OpsDoorDeps, principal: Principal): void {
  if (accounts.isOperator(principal)) return;
  throw new TidemillError('AccessDenied', `${principal.arn} is not the operator of this installation`, {
    remedy: 'Use the root key of the first account, or read the metrics on the machine itself.',
  });
}

async function levelsOf({ accounts, quotas, objects, scheduling }: OpsDoorDeps): Promise<Gauges['accounts']> {
  const levels = await Promise.all(
    accounts
      .list()
      .slice(0, MAX_ACCOUNTS)
      .map(async ({ account }) => {
        const most = quotas.of(account);
        const used = { ...(await objects.usage(account)), ...scheduling.usage(account) };
        return (['calls', 'instances', 'memoryMb', 'objects', 'objectBytes'] as const).map((quota) => ({
          ...{ account, quota },
          ...{ used: used[quota], most: most[quota] },
        }));
      }),
  );
  return levels.flat();
}

async function gauges(deps: OpsDoorDeps): Promise<Parameters<MetricsFold['render']>[0]> {
  const nodes = deps.nodes.nodes();
  return {
    version: deps.version,
    instances: nodes.map((node) => ({ node: node.nodeId, zone: node.zone, count: node.instances })),
    pauses: deps.scheduling.pauses(),
    pooled: sumOver(nodes, (node) => node.pooled),
    bare: sumOver(nodes, (node) => node.bare),
    queue: await deps.queue.depth(),
    queues: (await deps.queue.depths(MAX_QUEUES)).map((each) => ({ ...each, ageMs: ageOf(each, deps.clock.now()) })),
    accounts: await levelsOf(deps),
    letters: await deps.letters.counts(),
  };
}

function ageOf({ oldestAcceptedAt }: QueueDepth, now: number): number {
  return oldestAcceptedAt === undefined ? 0 : Math.max(0, now - oldestAcceptedAt);
}

function sumOver(
  nodes: readonly NodeInfo[],
  pick: (node: NodeInfo) => Readonly<Record<string, number>> | undefined,
): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const node of nodes) {
    for (const [kind, count] of Object.entries(pick(node) ?? {})) sums[kind] = (sums[kind] ?? 0) + count;
  }
  return sums;
}

function checkQuery(route: FunctionRoute, query: Query): void {
  for (const name in query) {
    if (route.query.includes(name)) continue;
    throw new TidemillError('InvalidArgument', `There is no query parameter '${name}' here`, {
      remedy: `Known are: ${route.query.join(', ')}.`,
    });
  }
}

function sendText(res: ServerResponse, requestId: string, type: string, text: string): void {
  const body = Buffer.from(text);
  res.writeHead(200, { 'content-type': type, 'content-length': body.length, 'x-fc-request-id': requestId });
  res.end(body);
}

/** A proxy on this machine speaks for others: what it passes on is not from here. */
function fromThisMachine(req: IncomingMessage): boolean {
  if (req.headers['x-forwarded-for'] !== undefined || req.headers.forwarded !== undefined) return false;
  return /^(::1$|(::ffff:)?127\.)/.test(req.socket.remoteAddress ?? '');
}
