import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { RequestHead } from './exchange.ts';

/** How a caller wants a function called: the `x-fc-*` request headers of FC reference 2.6, on the API and on HTTP triggers. */
export interface InvocationOptions {
  readonly async: boolean;
  readonly logTail: boolean;
  readonly taskId: string | undefined;
  readonly delaySeconds: number | undefined;
}

const SYNC: InvocationOptions = { async: false, logTail: false, taskId: undefined, delaySeconds: undefined };
const SYNC_TAIL: InvocationOptions = { ...SYNC, logTail: true };
const TASK_ID = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;

/** Throws InvalidArgument naming the header whose value is not of the documented form. */
export function invocationOptions(req: RequestHead): InvocationOptions {
  const { headers } = req;
  const type = one(headers['x-fc-invocation-type']);
  const log = one(headers['x-fc-log-type']);
  if (type !== undefined && type !== 'Sync' && type !== 'Async')
    throw invalid('x-fc-invocation-type', type, 'Sync or Async');
  if (log !== undefined && log !== 'None' && log !== 'Tail') throw invalid('x-fc-log-type', log, 'None or Tail');
  const taskId = one(headers['x-fc-async-task-id']);
  const delay = one(headers['x-fc-async-delay']);
  const logTail = log === 'Tail';
  if (type !== 'Async') {
    const misplaced =
      taskId !== undefined ? 'x-fc-async-task-id' : delay !== undefined ? 'x-fc-async-delay' : undefined;
    if (misplaced !== undefined) {
      throw new TidemillError('InvalidArgument', `The header ${misplaced} only applies to x-fc-invocation-type: Async`);
    }
    return logTail ? SYNC_TAIL : SYNC;
  }
  if (taskId !== undefined && !TASK_ID.test(taskId)) throw invalid('x-fc-async-task-id', taskId, String(TASK_ID));
  return { async: true, logTail, taskId, delaySeconds: delay === undefined ? undefined : delayOf(delay) };
}

function delayOf(text: string): number {
  const seconds = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= LIMITS.asyncDelayMaxSeconds)) {
    throw invalid('x-fc-async-delay', text, `seconds above 0 and up to ${LIMITS.asyncDelayMaxSeconds}`);
  }
  return seconds;
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function invalid(name: string, value: string, allowed: string): TidemillError {
  return new TidemillError('InvalidArgument', `The header ${name} is '${value}', allowed is ${allowed}`);
}
