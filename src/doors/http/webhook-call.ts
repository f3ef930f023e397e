import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { TriggerRecord } from '../../core/domain/trigger.ts';
import type { Exchange } from '../wire/exchange.ts';
import { lineageOf } from '../wire/lineage.ts';
import type { HttpDoorDeps } from './door.ts';
import { requestHeaders } from './header-rules.ts';
import type { TriggerAddress } from './trigger-address.ts';

/** A request to the URL of a trigger with a webhook as its source: 202 once the event is durable. */
export async function callWebhook(
  deps: HttpDoorDeps,
  exchange: Exchange,
  call: { readonly requestId: string; readonly trigger: TriggerRecord; readonly address: TriggerAddress },
): Promise<void> {
  const { requestId, trigger, address } = call;
  const req = exchange.head;
  if (req.method !== 'POST') {
    throw new TidemillError('MethodNotAllowed', `A webhook is a POST, not a ${req.method ?? 'GET'}`);
  }
  const body = await exchange.body(LIMITS.webhookBodyBytes, undefined);
  const outcome = await deps.webhooks.receive({
    requestId,
    trigger,
    method: 'POST',
    target: address.target,
    headers: requestHeaders(req.rawHeaders, req.headers.connection),
    body,
    lineage: lineageOf(deps.callers, req, undefined, requestId, 'webhook'),
  });
  const answer = Buffer.from(JSON.stringify({ RequestId: requestId, Outcome: outcome }));
  exchange.send(202, ['content-type', 'application/json', 'x-fc-request-id', requestId], answer);
}
