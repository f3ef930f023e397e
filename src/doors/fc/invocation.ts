import type { Principal } from '../../core/domain/credentials.ts';
import type { Lineage } from '../../core/domain/lineage.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { InvokeAnswer, InvokeCommand, Target } from '../../core/ports/dispatch.ts';
import type { CallerLeft, Exchange } from '../wire/exchange.ts';
import { invocationOptions } from '../wire/invocation-headers.ts';
import { lineageOf } from '../wire/lineage.ts';
import { HttpConditions } from '../wire/request-conditions.ts';
import { sessionHeaders, sessionOf } from '../wire/session-affinity.ts';
import { timingHeader, wantsTimings } from '../wire/timing-header.ts';
import type { OperationContext } from './operation.ts';

export interface Invocation {
  readonly requestId: string;
  readonly principal: Principal;
  readonly functionName: string;
  readonly qualifier: string | undefined;
  readonly bodyHash: string | undefined;
}

/**
 * InvokeFunction (FC reference 2.6): the payload is bytes both ways and never parsed. The function is resolved while the
 * body still streams in; nothing is allocated per call beyond what the answer needs.
 */
export async function invoke(deps: OperationContext, exchange: Exchange, invocation: Invocation): Promise<void> {
  const { head } = exchange;
  const options = invocationOptions(head);
  const { requestId, functionName, qualifier, principal, bodyHash } = invocation;
  deps.access.check(
    principal,
    'fc:InvokeFunction',
    deps.names.of(principal.account, functionName, qualifier),
    new HttpConditions(head),
  );
  const lineage = lineageOf(deps.callers, head, principal, requestId, 'call');
  if (options.async) {
    const payload = await exchange.body(LIMITS.asyncPayloadBytes, bodyHash);
    const { taskId } = await deps.dispatch.invokeAsync({
      requestId,
      account: principal.account,
      functionName,
      qualifier,
      payload,
      ...(options.taskId === undefined ? {} : { taskId: options.taskId }),
      ...(options.delaySeconds === undefined ? {} : { delaySeconds: options.delaySeconds }),
      lineage,
    });
    exchange.send(202, [...idHeaders(requestId), 'x-fc-async-task-id', taskId]);
    return;
  }
  const { cancel } = exchange;
  const body = exchange.body(LIMITS.syncPayloadBytes, bodyHash);
  const resolving = deps.dispatch.resolve(principal.account, functionName, qualifier);
  const [payload, target] = body instanceof Uint8Array ? [body, await resolving] : await Promise.all([body, resolving]);
  const command = new EventCall(invocation, target, payload, options.logTail, cancel, lineage);
  if (target.spec.config.sessionAffinity !== undefined) Object.assign(command, sessionOf(head, target));
  const answer = await deps.dispatch.invoke(command);
  const headers = answerHeaders(answer, target, requestId);
  if (wantsTimings(head)) headers.push(...timingHeader(answer.timings));
  if (answer.payload instanceof Uint8Array) exchange.send(200, headers, answer.payload);
  else await exchange.stream(200, headers, answer.payload);
}

/** A class, because an object literal with an accessor is made slowly, and every call makes one. */
class EventCall implements InvokeCommand {
  readonly requestId: string;
  readonly target: Target;
  readonly caller: Principal;
  readonly input: InvokeCommand['input'];
  readonly logTail: boolean;
  readonly cancel: CallerLeft;
  readonly lineage: Lineage;
  readonly sessionId?: string;

  constructor(
    { requestId, principal }: Invocation,
    target: Target,
    payload: Buffer,
    logTail: boolean,
    cancel: CallerLeft,
    lineage: Lineage,
  ) {
    this.requestId = requestId;
    this.target = target;
    this.caller = principal;
    this.input = { kind: 'event', payload };
    this.logTail = logTail;
    this.cancel = cancel;
    this.lineage = lineage;
  }

  /** Made when first asked for. */
  get signal(): AbortSignal {
    return this.cancel.signal;
  }
}

function answerHeaders(answer: InvokeAnswer, target: Target, requestId: string): string[] {
  const { versionId, code } = target.spec;
  const headers = idHeaders(requestId);
  headers.push(
    'content-type',
    'application/octet-stream',
    'x-fc-instance-id',
    answer.instanceId,
    'x-fc-code-checksum',
    code.checksum,
    'x-fc-invocation-duration',
    String(Math.round(answer.durationMs)),
    'x-fc-max-memory-usage',
    answer.maxMemoryMb.toFixed(2),
    'x-fc-invocation-service-version',
    versionId,
    'x-fc-invocation-function-version',
    versionId,
  );
  for (const pair of sessionHeaders(answer, target)) headers.push(...pair);
  if (answer.errorType !== undefined) headers.push('x-fc-error-type', answer.errorType);
  if (answer.logTail !== undefined) {
    headers.push('x-fc-log-result', Buffer.from(answer.logTail).toString('base64'));
  }
  return headers;
}

function idHeaders(requestId: string): string[] {
  return ['x-fc-request-id', requestId, 'x-acs-request-id', requestId];
}
