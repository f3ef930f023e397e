import type { HttpCall } from '../../core/domain/invocation.ts';
import { isRecursive, type Lineage } from '../../core/domain/lineage.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { AsyncCommand, RefusedEnd } from '../../core/ports/dispatch.ts';
import type { NewEvent } from '../../core/ports/event-queue.ts';

/** What rides with an event in the queue. */
export interface AsyncEnvelope {
  readonly requestId: string;
  readonly taskId: string;
  readonly account: string;
  readonly functionName: string;
  /** As the caller gave it; resolved anew for every run. */
  readonly qualifier: string;
  readonly lineage: Lineage;
  readonly http?: Omit<HttpCall, 'body'>;
  /** Followed as a task. */
  readonly task?: boolean;
  /** It was accepted only to end so. */
  readonly refused?: RefusedEnd;
}

/** Task ids chosen by callers (FC reference 5). */
const TASK_ID = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;

/**
 * A function's calls of itself are taken deepest first: a tree of them is walked down before it is walked across, which
 * keeps its queue short and brings a loop to its hop limit before it has many branches.
 */
const DEEPER_FIRST_MS = 600_000;

/**
 * The event for a command, due after its delay; `task`: followed as one. Throws EntityTooLarge and InvalidArgument. `now`:
 * wall clock.
 */
export function eventOf(
  command: AsyncCommand,
  now: number,
  task: boolean,
): NewEvent & { readonly headers: AsyncEnvelope } {
  const { requestId, account, functionName, payload, lineage, http } = command;
  if (payload.byteLength > LIMITS.asyncPayloadBytes) {
    const limit = LIMITS.asyncPayloadBytes;
    throw new TidemillError('EntityTooLarge', `payload size exceeds maximum allowed size (${limit} bytes)`);
  }
  if (command.taskId !== undefined && !TASK_ID.test(command.taskId)) {
    throw new TidemillError('InvalidArgument', `the async task id '${command.taskId.slice(0, 140)}' is not valid`, {
      remedy: 'Use 1 to 128 letters, digits, `_` and `-`, beginning with a letter or `_`.',
    });
  }
  const delay = command.delaySeconds ?? 0;
  if (command.delaySeconds !== undefined && !(delay > 0 && delay <= LIMITS.asyncDelayMaxSeconds)) {
    throw new TidemillError(
      'InvalidArgument',
      `the async delay must be above 0 and at most ${LIMITS.asyncDelayMaxSeconds} s`,
    );
  }
  const taskId = command.taskId ?? requestId;
  const key = `${account}/${functionName}`;
  const qualifier = command.qualifier ?? 'LATEST';
  const headers = {
    requestId,
    taskId,
    account,
    functionName,
    qualifier,
    lineage,
    ...(http === undefined ? {} : { http }),
    ...(task ? { task } : {}),
  };
  const id = command.dedupId === undefined ? `${key}#task:${taskId}` : `${key}#event:${command.dedupId}`;
  const ahead = delay === 0 && isRecursive(lineage, functionName) ? lineage.hops * DEEPER_FIRST_MS : 0;
  const event = { id, key, dueAt: now + delay * 1_000 - ahead, headers, payload };
  return task ? { ...event, task: { account, functionName, qualifier, taskId, requestId } } : event;
}

/** The event for one that can never run. What made it impossible is not checked again: a payload that is too long is left out. */
export function refusedEventOf(
  command: AsyncCommand,
  now: number,
  refused: RefusedEnd,
): NewEvent & { readonly headers: AsyncEnvelope } {
  const fits = command.payload.byteLength <= LIMITS.asyncPayloadBytes;
  const event = eventOf(fits ? command : { ...command, payload: new Uint8Array(0) }, now, false);
  return { ...event, headers: { ...event.headers, refused } };
}

/** The envelope of an event that `eventOf` made. */
export function envelopeOf(headers: unknown): AsyncEnvelope {
  return headers as AsyncEnvelope;
}
