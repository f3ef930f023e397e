import type { EndState } from '../../core/domain/async-task.ts';
import { ERRORS, type ErrorCode } from '../../core/domain/errors.ts';
import type { AsyncInvokeConfigRecord } from '../../core/domain/function.ts';
import type { EventEnd, LeasedEvent, NewEvent } from '../../core/ports/event-queue.ts';
import type { AsyncEnvelope } from './async-envelope.ts';
import { type DeliveryEnvelope, deliveryKey } from './delivery-envelope.ts';
import type { RunAnswer } from './retry-rules.ts';

/** How an event ended. */
export interface Ending {
  readonly state: EndState;
  /** Runs in all. */
  readonly attempts: number;
  readonly message: string;
  /** Name of the error or of the function's failure; empty on success. */
  readonly code: string;
  /** Of the last run, when there was one. */
  readonly answer: RunAnswer | undefined;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

/** A chain of calls that was taken for a loop must not go on through its own failures. */
const LOOP: ErrorCode = 'LimitExceededError';

/**
 * The end of an event with all that follows from it: a delivery when a destination is configured for this outcome, a dead
 * letter when it failed and nobody takes it. A stopped task is neither a success nor a failure: nothing follows.
 */
export function eventEnd(
  event: LeasedEvent,
  envelope: AsyncEnvelope,
  config: AsyncInvokeConfigRecord | undefined,
  ending: Ending,
): EventEnd {
  const { state, attempts, message, answer, code } = ending;
  const failed = state === 'Failed' || state === 'Expired' || state === 'Invalid';
  const looping = failed && code === LOOP;
  const destination = state === 'Succeeded' ? config?.onSuccess : failed && !looping ? config?.onFailure : undefined;
  const followers = destination === undefined ? [] : [deliveryEvent(event, envelope, ending, destination)];
  const { account, functionName, qualifier, requestId, taskId, lineage } = envelope;
  const identity = { account, functionName, qualifier, requestId, taskId };
  return {
    state,
    attempts,
    message,
    followers,
    ...(envelope.task === true && answer !== undefined
      ? { result: { payload: answer.payload, durationMs: answer.durationMs } }
      : {}),
    ...(failed && destination === undefined
      ? { letter: { ...identity, kind: 'invocation', state, message, attempts, evidence: { code, lineage } } }
      : {}),
  };
}

function deliveryEvent(event: LeasedEvent, envelope: AsyncEnvelope, ending: Ending, destination: string): NewEvent {
  const { account, functionName, qualifier, requestId, taskId, lineage, http, task } = envelope;
  const { state, answer, code } = ending;
  const on = state === 'Succeeded' ? 'success' : 'failure';
  const headers: DeliveryEnvelope = {
    kind: 'delivery',
    on,
    destination,
    account,
    functionName,
    qualifier,
    requestId,
    taskId,
    lineage,
    ...(http === undefined ? {} : { http }),
    requestBytes: event.payload.byteLength,
    state,
    message: ending.message,
    at: ending.at,
    condition: state === 'Expired' ? 'EventAgeExceeded' : code,
    statusCode: statusOf(ending),
    functionError: answer === undefined ? '' : code,
    invokeCount: ending.attempts,
    complete: answer?.complete ?? true,
    task: task === true,
  };
  const payload = answer === undefined ? event.payload : Buffer.concat([event.payload, answer.payload]);
  return { id: `${event.id}#on-${on}`, key: deliveryKey(account, functionName), dueAt: ending.at, headers, payload };
}

/** 200 when the function answered, whatever it said; the status of the error otherwise. */
function statusOf({ answer, state, code }: Ending): number {
  if (answer !== undefined || state === 'Succeeded') return 200;
  const row: { readonly status: number } | undefined = code in ERRORS ? ERRORS[code as ErrorCode] : undefined;
  return row?.status ?? 500;
}
