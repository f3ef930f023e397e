import { TASK_STATUSES, type TaskStatus } from '../../core/domain/async-task.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { TaskListQuery } from '../../core/ports/async-tasks.ts';
import type { TaskQuery } from '../../core/ports/event-queue.ts';

const PAGE_DEFAULT = 20;
const PAGE_MAX = 100;

/** ListAsyncTasks' query (FC reference 1.6) as the queue understands it; newest first unless told otherwise. Throws InvalidArgument. */
export function taskQuery(account: string, functionName: string, query: TaskListQuery): TaskQuery {
  const limit = wholeNumber('limit', query.limit) ?? PAGE_DEFAULT;
  if (limit < 1 || limit > PAGE_MAX) throw invalid('limit', String(query.limit), `1 to ${PAGE_MAX}`);
  const order = given(query.sortOrderByTime)?.toLowerCase() ?? 'desc';
  if (order !== 'asc' && order !== 'desc') throw invalid('sortOrderByTime', order, 'asc or desc');
  const status = given(query.status);
  const payload = given(query.includePayload) ?? 'false';
  if (payload !== 'true' && payload !== 'false') throw invalid('includePayload', payload, 'true or false');
  const from = wholeNumber('startedTimeBegin', query.startedTimeBegin);
  const to = wholeNumber('startedTimeEnd', query.startedTimeEnd);
  const after = given(query.nextToken);
  const qualifier = given(query.qualifier);
  const prefix = given(query.prefix);
  return {
    account,
    functionName,
    order,
    limit,
    payload: payload === 'true',
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(status === undefined ? {} : { status: statusOf(status) }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(after === undefined ? {} : { after: numberOfToken(after) }),
  };
}

/** Opaque to callers. */
export function tokenOf(next: string): string {
  return Buffer.from(next).toString('base64url');
}

function numberOfToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (/^\d{1,15}$/.test(text)) return text;
  throw new TidemillError('InvalidArgument', `nextToken '${token.slice(0, 80)}' was not given by this platform`);
}

function given(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function statusOf(text: string): TaskStatus {
  const status = TASK_STATUSES.find((known) => known === text);
  if (status !== undefined) return status;
  throw invalid('status', text, TASK_STATUSES.join(', '));
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalid(name, text, 'a whole number');
}

function invalid(name: string, text: string, allowed: string): TidemillError {
  return new TidemillError('InvalidArgument', `${name} is '${text.slice(0, 80)}', allowed is ${allowed}`);
}
