import type { IncomingMessage, ServerResponse } from 'node:http';
import { newUuid } from '../../core/base/ids.ts';
import { notSupported, TidemillError } from '../../core/domain/errors.ts';
import { asTidemillError, messageOf } from '../wire/answer.ts';
import { readBody } from '../wire/body.ts';
import { pathOf, queryPairs } from '../wire/query.ts';
import { HttpConditions } from '../wire/request-conditions.ts';
import { failureOf } from './failures.ts';
import type { IdentityDoorDeps, RpcOperation } from './operation.ts';
import { RAM, type RpcApi, STS } from './operations.ts';
import { Parameters } from './parameters.ts';

/** A policy document of full length, percent-encoded, in a query or a form. */
const PARAMETER_BYTES = 32 * 1024;
/** What every RPC request may carry besides the parameters of its operation. */
const COMMON = new Set(['Action', 'Version', 'Format']);

export interface IdentityDoor {
  matches(req: IncomingMessage): boolean;
  /** Answers every request, whatever happens; never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
}

/**
 * RAM 2015-05-01 and STS 2015-04-01 in the vendor's RPC style: every operation is `POST /` (or `GET /`), named by the headers
 * `x-acs-action` and `x-acs-version` or by the parameters Action and Version, signed like the FC API.
 */
export function createIdentityDoor(deps: IdentityDoorDeps): IdentityDoor {
  return {
    matches: (req) => {
      const target = req.url ?? '/';
      if (pathOf(target) !== '/') return false;
      return apiOf(versionOf(req)) !== undefined;
    },
    handle: (req, res) => {
      const requestId = newUuid(deps.random).toUpperCase();
      answer(deps, req).then(
        (members) => send(res, 200, { RequestId: requestId, ...members }),
        (thrown: unknown) => {
          const error = asTidemillError(thrown, requestId, deps.logger);
          const { code, status } = failureOf(error);
          const body = { RequestId: requestId, HostId: req.headers.host ?? '', Code: code, Message: messageOf(error) };
          send(res, status, { ...body, Culprit: error.culprit });
          req.resume();
        },
      );
    },
  };
}

function apiOf(version: string | undefined): RpcApi | undefined {
  return [RAM, STS].find((api) => api.version === version);
}

function headerOf(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function versionOf(req: IncomingMessage): string | undefined {
  return headerOf(req, 'x-acs-version') ?? parameterOf(req, 'Version');
}

function parameterOf(req: IncomingMessage, wanted: string): string | undefined {
  const target = req.url ?? '/';
  const mark = target.indexOf('?');
  return mark < 0 ? undefined : queryPairs(target.slice(mark + 1)).find(([name]) => name === wanted)?.[1];
}

async function answer(deps: IdentityDoorDeps, req: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  if (req.method !== 'POST' && req.method !== 'GET') {
    throw new TidemillError('InvalidArgument', 'Requests of this API are POST or GET');
  }
  if (parameterOf(req, 'SignatureMethod') !== undefined) {
    throw notSupported(
      'The signature in parameters (SignatureVersion 1.0)',
      'Sign with ACS3-HMAC-SHA256, as current SDKs do.',
    );
  }
  const { principal, bodyHash } = deps.verifier.verifyApi(req);
  const { account } = principal;
  deps.rate.take(account);
  const body = await readBody(req, PARAMETER_BYTES, bodyHash);
  const parameters = readParameters(req, body);
  const operation = operationOf(req);
  for (const name of parameters.names()) {
    if (!operation.parameters.includes(name)) {
      throw new TidemillError(
        'InvalidArgument',
        `The operation ${operation.name} has no parameter ${name.slice(0, 60)}`,
      );
    }
  }
  const { identities, roleSessions, access } = deps;
  const conditions = new HttpConditions(req);
  const call = { identities, roleSessions, principal, account, parameters, conditions };
  if (operation.resource !== undefined) {
    access.check(principal, `ram:${operation.name}`, operation.resource(call), conditions);
  }
  return operation.run(call);
}

function operationOf(req: IncomingMessage): RpcOperation {
  const api = apiOf(versionOf(req));
  const name = headerOf(req, 'x-acs-action') ?? parameterOf(req, 'Action') ?? '';
  const remedy = api?.refused.get(name);
  if (remedy !== undefined) throw notSupported(`The operation ${name}`, remedy);
  const operation = api?.operations.get(name);
  if (operation !== undefined) return operation;
  throw notSupported(`The operation '${name.slice(0, 80)}' of version ${api?.version ?? ''}`, 'Check its name.');
}

/** Parameters come in the query, in a form, or in both. */
function readParameters(req: IncomingMessage, body: Buffer): Parameters {
  const target = req.url ?? '/';
  const mark = target.indexOf('?');
  const values = new Map<string, string>();
  const add = (text: string): void => {
    for (const [name, value] of queryPairs(text)) {
      if (COMMON.has(name)) continue;
      if (values.has(name))
        throw new TidemillError('InvalidArgument', `The parameter ${name.slice(0, 60)} is there twice`);
      values.set(name, value);
    }
  };
  if (mark >= 0) add(target.slice(mark + 1));
  if (body.length > 0) {
    if (!(headerOf(req, 'content-type') ?? '').startsWith('application/x-www-form-urlencoded')) {
      throw new TidemillError('InvalidArgument', 'A body must be of type application/x-www-form-urlencoded');
    }
    add(body.toString('utf8'));
  }
  return new Parameters(values);
}

function send(res: ServerResponse, status: number, members: Readonly<Record<string, unknown>>): void {
  const body = Buffer.from(JSON.stringify(members));
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-acs-request-id': String(members['RequestId']),
  });
  res.end(body);
}
