import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { type AccountRecord, roleArn } from '../../core/domain/identities.ts';
import { type AccountQuotas, isQuotaName, type QuotaName } from '../../core/domain/quota.ts';
import type { Access } from '../../core/ports/access.ts';
import type { Accounts, Quotas } from '../../core/ports/accounts.ts';
import type { Identities } from '../../core/ports/identities.ts';
import type { Acs3Verifier } from '../wire/acs3-verifier.ts';
import { asTidemillError, sendError } from '../wire/answer.ts';
import { readBody } from '../wire/body.ts';
import type { ControlRate } from '../wire/control-rate.ts';
import { pathOf } from '../wire/query.ts';
import { HttpConditions } from '../wire/request-conditions.ts';
import { requestIdOf } from '../wire/request-id.ts';
import { checkHeadLimits } from '../wire/request-limits.ts';

/** What an account uses of its quotas; `requestsPerSecond` is a rate and has no use that stands. */
export type AccountLevels = Readonly<Record<Exclude<QuotaName, 'requestsPerSecond'>, number>>;

/** What the accounts door needs from the rest of the house. */
export interface AccountsDoorDeps {
  readonly accounts: Accounts;
  readonly quotas: Pick<Quotas, 'of'>;
  readonly identities: Identities;
  readonly access: Access;
  readonly levels: (account: string) => Promise<AccountLevels>;
  readonly verifier: Acs3Verifier;
  readonly rate: ControlRate;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface AccountsDoor {
  matches(req: IncomingMessage): boolean;
  /** Answers every request, whatever happens; never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
}

const PREFIX = '/tidemill/v1/accounts';
const ROLE = /^\/tidemill\/v1\/roles\/([A-Za-z0-9._-]{1,64})\/revoke-sessions$/;
const BODY_BYTES = 16 * 1024;

interface AccountCall {
  readonly deps: AccountsDoorDeps;
  readonly req: IncomingMessage;
  readonly principal: Principal;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * Our own API for what the vendor does outside of its APIs: the operator's accounts and quotas, and the end of a role's sessions.
 * JSON both ways. Everybody may read of his own account; only the operator may read of others, and change.
 */
export function createAccountsDoor(deps: AccountsDoorDeps): AccountsDoor {
  return {
    matches: (req) => {
      const path = pathOf(req.url ?? '/');
      return path === PREFIX || path.startsWith(`${PREFIX}/`) || ROLE.test(path);
    },
    handle: (req, res) => {
      const requestId = requestIdOf(req, deps.random, deps.clock);
      answer(deps, req).then(
        (value) => send(res, requestId, value),
        (error: unknown) => {
          sendError(res, requestId, asTidemillError(error, requestId, deps.logger));
          req.resume();
        },
      );
    },
  };
}

async function answer(deps: AccountsDoorDeps, req: IncomingMessage): Promise<unknown> {
  checkHeadLimits(req);
  const { principal, bodyHash } = deps.verifier.verifyApi(req);
  deps.rate.take(principal.account);
  const body = readJson(await readBody(req, BODY_BYTES, bodyHash));
  const call: AccountCall = { deps, req, principal, body };
  const path = pathOf(req.url ?? '/');
  const role = ROLE.exec(path)?.[1];
  if (role !== undefined && req.method === 'POST') return revoke(call, role);
  const [id, action] = path.slice(PREFIX.length + 1).split('/');
  const found =
    OPERATIONS[
      `${req.method ?? ''} ${id === undefined || id === '' ? '' : ':id'}${action === undefined ? '' : `/${action}`}`
    ];
  if (found === undefined) {
    throw new TidemillError('PathNotSupported', `'${req.method ?? ''}' against '${path}' is not supported`);
  }
  return found(call, id ?? '');
}

type AccountOperation = (call: AccountCall, account: string) => unknown;

const OPERATIONS: Readonly<Record<string, AccountOperation>> = {
  'GET ': async (call) => {
    operatorOnly(call);
    return { accounts: await Promise.all(call.deps.accounts.list().map((record) => shape(call, record))) };
  },
  'POST ': async (call) => {
    operatorOnly(call);
    const { name } = call.body;
    if (typeof name !== 'string') throw new TidemillError('InvalidArgument', 'The member name must be a string');
    const { record, key } = await call.deps.accounts.create(name);
    return {
      account: await shape(call, record),
      key: { accessKeyId: key.record.accessKeyId, accessKeySecret: key.accessKeySecret },
    };
  },
  'GET :id': (call, account) => {
    if (account !== call.principal.account || call.principal.kind !== 'root') operatorOnly(call);
    return shape(call, call.deps.accounts.get(account));
  },
  'POST :id/disable': (call, account) => changed(call, () => call.deps.accounts.setStatus(account, 'disabled')),
  'POST :id/enable': (call, account) => changed(call, () => call.deps.accounts.setStatus(account, 'active')),
  'POST :id/quotas': (call, account) =>
    changed(call, () => call.deps.accounts.setQuotas(account, readQuotas(call.body))),
  'DELETE :id': async (call, account) => {
    operatorOnly(call);
    await call.deps.accounts.delete(account);
    return { deleted: true };
  },
};

async function changed(call: AccountCall, change: () => Promise<AccountRecord>): Promise<unknown> {
  operatorOnly(call);
  return shape(call, await change());
}

async function revoke({ deps, req, principal }: AccountCall, role: string): Promise<unknown> {
  const arn = roleArn(principal.account, role);
  deps.access.check(principal, 'ram:UpdateRole', arn, new HttpConditions(req));
  const { sessionsAfter } = await deps.identities.revokeSessions(principal.account, role);
  return { role: arn, sessionsRefusedUntil: new Date(sessionsAfter).toISOString() };
}

function operatorOnly({ deps, principal }: AccountCall): void {
  if (deps.accounts.isOperator(principal)) return;
  throw new TidemillError('AccessDenied', `${principal.arn} is not the operator of this installation`, {
    remedy: 'Use the root key of the first account: it is in installation.json of the data folder.',
  });
}

async function shape({ deps }: AccountCall, record: AccountRecord): Promise<unknown> {
  const { account, name, status, createdAt, quotas } = record;
  const limits: AccountQuotas = deps.quotas.of(account);
  return {
    ...{ account, name, status },
    createdAt: new Date(createdAt).toISOString(),
    quotas: limits,
    ownQuotas: quotas,
    usage: await deps.levels(account),
  };
}

/** Numbers; null sets a quota back to the standard. */
function readQuotas(body: Readonly<Record<string, unknown>>): Partial<Record<QuotaName, number | undefined>> {
  const quotas: Partial<Record<QuotaName, number | undefined>> = {};
  for (const [name, value] of Object.entries(body)) {
    if (!isQuotaName(name)) throw new TidemillError('InvalidArgument', `There is no quota '${name.slice(0, 60)}'`);
    if (value !== null && typeof value !== 'number') {
      throw new TidemillError('InvalidArgument', `The quota ${name} must be a number, or null for the standard`);
    }
    quotas[name] = value ?? undefined;
  }
  return quotas;
}

function readJson(bytes: Buffer): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new TidemillError('InvalidArgument', 'The request body is not valid JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value));
  throw new TidemillError('InvalidArgument', 'The request body must be a JSON object');
}

function send(res: ServerResponse, requestId: string, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  res.writeHead(200, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-fc-request-id': requestId,
  });
  res.end(body);
}
