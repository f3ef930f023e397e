import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { Lineage } from '../../core/domain/lineage.ts';
import type { HttpTriggerConfig, TriggerRecord } from '../../core/domain/trigger.ts';
import type { Access } from '../../core/ports/access.ts';
import type { CallerLineage } from '../../core/ports/caller-lineage.ts';
import type { Catalog } from '../../core/ports/catalog.ts';
import type { Dispatch } from '../../core/ports/dispatch.ts';
import type { Webhooks } from '../../core/ports/webhooks.ts';
import type { Acs3Verifier, VerifiedRequest } from '../wire/acs3-verifier.ts';
import { asTidemillError } from '../wire/answer.ts';
import type { Exchange, RequestHead } from '../wire/exchange.ts';
import { FunctionArns } from '../wire/function-arns.ts';
import { lineageOf } from '../wire/lineage.ts';
import { NodeExchange } from '../wire/node-exchange.ts';
import { HttpConditions } from '../wire/request-conditions.ts';
import { requestIdOf } from '../wire/request-id.ts';
import { checkHeadLimits } from '../wire/request-limits.ts';
import { admit, type Admission } from './admission.ts';
import { corsHeaders } from './cors.ts';
import { inPathForm, isPrivatePeer, type TriggerAddress, triggerAddress } from './trigger-address.ts';
import { NotPresented } from './trigger-auth.ts';
import { callTrigger } from './trigger-call.ts';
import { callWebhook } from './webhook-call.ts';

/** What the HTTP door needs from the rest of the house. */
export interface HttpDoorOptions {
  readonly catalog: Catalog;
  readonly dispatch: Dispatch;
  readonly callers: CallerLineage;
  readonly webhooks: Webhooks;
  readonly verifier: Acs3Verifier;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly region: string;
  /** Own domain whose subdomains are triggers; undefined: path form and `*.fcapp.localhost` only. */
  readonly baseDomain?: string;
  /** Told of each request that was taken by `call` and refused. */
  readonly refused?: (head: RequestHead, requestId: string, error: TidemillError) => void;
}

export interface HttpDoor {
  /** True for requests aimed at an HTTP trigger, by path or by Host. */
  matches(req: RequestHead): boolean;
  /** Answers every request, whatever happens; never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Whether method and target alone say that a request is aimed at a trigger. */
  calls(method: string, target: string): boolean;
  /** Answers such a request without `node:http`, whatever happens; never throws. */
  call(exchange: Exchange): void;
}

/** The same, with what the door keeps for itself. */
export type HttpDoorDeps = HttpDoorOptions & { readonly names: FunctionArns };

/** One request with the trigger it belongs to. */
export interface TriggerRequest {
  readonly requestId: string;
  readonly address: TriggerAddress;
  readonly trigger: TriggerRecord;
  readonly caller: Principal | 'anonymous';
  readonly lineage: Lineage;
  /** SHA-256 the body must have, when the client signed one. */
  readonly bodyHash: string | undefined;
  /** What the caller is known by, for triggers with tokens, passwords or signed tokens. */
  readonly admission: Admission | undefined;
}

/** URLs that run functions (FC reference 4.4, 4.5, 6.2). */
export function createHttpDoor(options: HttpDoorOptions): HttpDoor {
  const deps: HttpDoorDeps = { ...options, names: new FunctionArns(options.region) };
  const domains = { region: deps.region.toLowerCase(), baseDomain: deps.baseDomain?.toLowerCase() };
  const take = (exchange: Exchange, refused: HttpDoorOptions['refused']): void => {
    const { head } = exchange;
    const requestId = requestIdOf(head, deps.random, deps.clock);
    answer(deps, exchange, triggerAddress(head, domains), requestId).catch((error: unknown) => {
      const failure = asTidemillError(error, requestId, deps.logger);
      const more = corsHeaders(head, []).flat();
      if (failure instanceof NotPresented) more.push('WWW-Authenticate', failure.challenge);
      refused?.(head, requestId, failure);
      exchange.refuse(requestId, failure, more);
    });
  };
  return {
    matches: (req) => triggerAddress(req, domains) !== undefined,
    handle: (req, res) => take(new NodeExchange(req, res), undefined),
    calls: (_method, target) => inPathForm(target),
    call: (exchange) => take(exchange, deps.refused),
  };
}

async function answer(
  deps: HttpDoorDeps,
  exchange: Exchange,
  address: TriggerAddress | undefined,
  requestId: string,
): Promise<void> {
  const req = exchange.head;
  if (address === undefined) throw noTrigger(req.headers.host ?? '');
  checkHeadLimits(req);
  const trigger = await deps.catalog.httpTrigger(address.domainPrefix);
  if (trigger?.config.type === 'eventbridge') return callWebhook(deps, exchange, { requestId, trigger, address });
  if (trigger?.config.type !== 'http') throw noTrigger(address.domainPrefix);
  checkAccess(req, address, trigger.config);
  const verified = trigger.config.authType === 'function' ? verifiedFor(deps, req, trigger) : undefined;
  const { auth } = trigger.config;
  const admission = auth === undefined ? undefined : await admit(auth, exchange, address.target, deps.clock.now());
  await callTrigger(deps, exchange, {
    requestId,
    address,
    trigger,
    caller: verified?.principal ?? 'anonymous',
    lineage: lineageOf(deps.callers, req, verified?.principal, requestId, 'http'),
    bodyHash: verified?.bodyHash,
    admission,
  });
}

function checkAccess(req: RequestHead, address: TriggerAddress, config: HttpTriggerConfig): void {
  if (config.disableUrlInternet && !(address.form === 'internal' && isPrivatePeer(req.socket.remoteAddress))) {
    throw new TidemillError('AccessDenied', 'access denied due to function internet URL is disable', {
      remedy: 'Call the intranet URL from a private network, or switch disableURLInternet off.',
    });
  }
  const method = req.method ?? 'GET';
  if (!config.methods.includes(method)) {
    throw new TidemillError('AccessDenied', `The http trigger does not allow the method ${method}`, {
      remedy: `Allowed are: ${config.methods.join(', ')}.`,
    });
  }
}

function verifiedFor(deps: HttpDoorDeps, req: RequestHead, trigger: TriggerRecord): VerifiedRequest {
  const verified = deps.verifier.verifyTrigger(req);
  const { account, functionName, qualifier } = trigger;
  const called = deps.names.of(account, functionName, qualifier);
  deps.access.check(verified.principal, 'fc:InvokeFunction', called, new HttpConditions(req));
  return verified;
}

function noTrigger(name: string): TidemillError {
  return new TidemillError('TriggerNotFound', `There is no http trigger behind '${name}'`);
}
