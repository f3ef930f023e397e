import { notSupported, TidemillError } from '../../core/domain/errors.ts';
import type { HttpCall } from '../../core/domain/invocation.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import { isCustomRuntime } from '../../core/domain/version-spec.ts';
import type { InvokeAnswer, InvokeCommand, Target } from '../../core/ports/dispatch.ts';
import { checkedBody } from '../wire/body.ts';
import type { Exchange, RequestHead } from '../wire/exchange.ts';
import { type InvocationOptions, invocationOptions } from '../wire/invocation-headers.ts';
import { timingHeader, wantsTimings } from '../wire/timing-header.ts';
import { sessionHeaders, sessionOf } from '../wire/session-affinity.ts';
import { corsHeaders } from './cors.ts';
import type { HttpDoorDeps, TriggerRequest } from './door.ts';
import { functionResponse } from './function-response.ts';
import { type HeaderPairs, requestHeaders, responseHeaders } from './header-rules.ts';
import { requestEvent } from './request-event.ts';
import { hostName } from './trigger-address.ts';

/** Runs the function behind a trigger whose caller has been let in: raw HTTP for custom runtimes, an event for the others. */
export async function callTrigger(deps: HttpDoorDeps, exchange: Exchange, request: TriggerRequest): Promise<void> {
  const options = invocationOptions(exchange.head);
  const { account, functionName, qualifier } = request.trigger;
  const target = await deps.dispatch.resolve(account, functionName, qualifier);
  const custom = isCustomRuntime(target.spec.config.runtime);
  if (options.async) return callAsync(deps, exchange, request, options, custom);
  const { cancel } = exchange;
  const command: InvokeCommand = {
    requestId: request.requestId,
    target,
    caller: request.caller,
    input: custom
      ? { kind: 'http', call: { ...callHead(exchange.head, request), body: await customBody(exchange, request) } }
      : { kind: 'event', payload: await eventOf(deps, exchange, request, LIMITS.syncPayloadBytes) },
    logTail: options.logTail,
    ...sessionOf(exchange.head, target),
    cancel,
    get signal() {
      return cancel.signal;
    },
    lineage: request.lineage,
  };
  const answer = await deps.dispatch.invoke(command);
  try {
    await send(exchange, request, target, answer);
  } catch (error) {
    // an answer that cannot be passed on may still stream: its slot has to come back
    cancel.abort(error);
    throw error;
  }
}

async function callAsync(
  deps: HttpDoorDeps,
  exchange: Exchange,
  request: TriggerRequest,
  options: InvocationOptions,
  custom: boolean,
): Promise<void> {
  const { requestId, trigger } = request;
  const payload = custom
    ? await wholeBody(exchange, request, LIMITS.asyncPayloadBytes)
    : await eventOf(deps, exchange, request, LIMITS.asyncPayloadBytes);
  const { taskId } = await deps.dispatch.invokeAsync({
    requestId,
    account: trigger.account,
    functionName: trigger.functionName,
    qualifier: trigger.qualifier,
    payload,
    ...(options.taskId === undefined ? {} : { taskId: options.taskId }),
    ...(options.delaySeconds === undefined ? {} : { delaySeconds: options.delaySeconds }),
    lineage: request.lineage,
    ...(custom ? { http: callHead(exchange.head, request) } : {}),
  });
  exchange.send(202, headersOf(exchange.head, request, [['x-fc-async-task-id', taskId]]));
}

/** Other upgrades (`h2c`, which some clients offer with every first request) are offers, which HTTP/1.1 lets a server leave alone. */
function refuseWebSocket(req: RequestHead): void {
  const { upgrade = '', connection = '' } = req.headers;
  if (!/\bwebsocket\b/i.test(upgrade) || !/\bupgrade\b/i.test(connection)) return;
  throw notSupported(`Upgrading a connection to '${upgrade}'`, 'Use plain HTTP: streamed answers work.');
}

/** The request for a custom runtime; body apart. */
function callHead(req: RequestHead, request: TriggerRequest): Omit<HttpCall, 'body'> {
  refuseWebSocket(req);
  return {
    method: req.method ?? 'GET',
    target: request.address.target,
    headers: headersFor(req, request),
  };
}

/** What the function sees: what the caller sent, and what the trigger knows of the caller. */
function headersFor(req: RequestHead, { admission }: TriggerRequest): HeaderPairs {
  const headers = requestHeaders(req.rawHeaders, req.headers.connection);
  return admission === undefined ? headers : admission.headers(headers);
}

/** The body, which may have been read already to find out who calls. */
async function wholeBody(exchange: Exchange, request: TriggerRequest, limit: number): Promise<Buffer> {
  const { body } = request.admission ?? {};
  return body === undefined ? exchange.body(limit, request.bodyHash) : checkedBody(body, limit, request.bodyHash);
}

/** Streamed, unless the client signed a hash of the whole body: that has to be checked before the function sees a byte. */
async function customBody(exchange: Exchange, request: TriggerRequest): Promise<HttpCall['body']> {
  if (request.bodyHash !== undefined || request.admission?.body !== undefined) {
    return wholeBody(exchange, request, LIMITS.syncPayloadBytes);
  }
  return exchange.incoming(LIMITS.syncPayloadBytes);
}

async function eventOf(
  deps: HttpDoorDeps,
  exchange: Exchange,
  request: TriggerRequest,
  limit: number,
): Promise<Buffer> {
  const req = exchange.head;
  refuseWebSocket(req);
  const body = await wholeBody(exchange, request, limit);
  return requestEvent({
    method: req.method ?? 'GET',
    target: request.address.target,
    headers: headersFor(req, request),
    body,
    accountId: request.trigger.account,
    domainName: hostName(req),
    domainPrefix: request.address.domainPrefix,
    requestId: request.requestId,
    triggerId: request.trigger.triggerId,
    httpVersion: req.httpVersion,
    sourceIp: (req.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    now: deps.clock.now(),
  });
}

async function send(exchange: Exchange, request: TriggerRequest, target: Target, answer: InvokeAnswer): Promise<void> {
  const { payload, reply } = answer;
  const { head } = exchange;
  const platform = platformHeaders(head, answer, target);
  if (reply === undefined) {
    const output = payload instanceof Uint8Array ? asBuffer(payload) : await collect(payload);
    if (answer.errorType !== undefined) return sendFunctionError(exchange, request, answer.errorType, platform);
    const { status, headers, body } = functionResponse(output);
    const length = ['Content-Length', String(body.length)] as const;
    const all = [...headers, ...platform, ...(mayHaveBody(status) ? [length] : [])];
    exchange.answer(status, headersOf(head, request, all), mayHaveBody(status) ? body : undefined);
    return;
  }
  const headers = responseHeaders(reply.headers, mayHaveBody(reply.status));
  if (payload instanceof Uint8Array) {
    const length = ['Content-Length', String(payload.byteLength)] as const;
    const own = headers.some(([name]) => name.toLowerCase() === 'content-length') || !mayHaveBody(reply.status);
    const all = [...headers, ...platform, ...(own ? [] : [length])];
    exchange.answer(reply.status, headersOf(head, request, all), payload);
    return;
  }
  await exchange.stream(reply.status, headersOf(head, request, [...headers, ...platform]), payload);
}

/** Callers of a URL learn that the function failed, not why: that is in its logs (FC reference 4.4). */
function sendFunctionError(
  exchange: Exchange,
  request: TriggerRequest,
  errorType: string,
  platform: HeaderPairs,
): void {
  const headers = [['Content-Type', 'application/json'], ['x-fc-error-type', errorType], ...platform] as const;
  exchange.send(502, headersOf(exchange.head, request, headers), Buffer.from('Internal Server Error'));
}

/** All headers of an answer; the platform's own domains always say `attachment`, which keeps pages from running on them (FC reference 4.4). */
function headersOf(req: RequestHead, request: TriggerRequest, headers: HeaderPairs): string[] {
  const flat: string[] = [];
  for (const [name, value] of headers) flat.push(name, value);
  for (const [name, value] of corsHeaders(req, headers)) flat.push(name, value);
  flat.push('Content-Disposition', 'attachment', 'x-fc-request-id', request.requestId);
  return flat;
}

function platformHeaders(req: RequestHead, answer: InvokeAnswer, target: Target): HeaderPairs {
  const headers: (readonly [string, string])[] = [
    ['x-fc-instance-id', answer.instanceId],
    ['x-fc-invocation-function-version', target.spec.versionId],
    ...sessionHeaders(answer, target),
  ];
  if (wantsTimings(req)) headers.push(timingHeader(answer.timings));
  if (answer.logTail !== undefined) headers.push(['x-fc-log-result', Buffer.from(answer.logTail).toString('base64')]);
  return headers;
}

function mayHaveBody(status: number): boolean {
  return status !== 204 && status !== 304;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.byteLength;
    if (size > LIMITS.responsePayloadBytes) {
      throw new TidemillError(
        'BadResponse',
        `the function answered with more than ${LIMITS.responsePayloadBytes} bytes`,
        {
          remedy: 'Answer with less, store large results as objects, or use a custom runtime: it streams.',
        },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
