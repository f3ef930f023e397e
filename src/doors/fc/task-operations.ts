import { functionArn } from '../../core/domain/arn.ts';
import type { StoredTask } from '../../core/ports/event-queue.ts';
import { type Operation, type OperationContext, pageAnswer, param } from './operation.ts';

const TASKS = '/functions/:functionName/async-tasks';
const LIST_QUERY = [
  ...['qualifier', 'prefix', 'status', 'startedTimeBegin', 'startedTimeEnd', 'sortOrderByTime', 'includePayload'],
  ...['limit', 'nextToken'],
];

/** FC reference 1.6, tasks. */
export const taskOperations: readonly Operation[] = [
  {
    name: 'GetAsyncTask',
    method: 'GET',
    path: `${TASKS}/:taskId`,
    query: ['qualifier'],
    run: async (context, request) => {
      const { account, query } = request;
      const [name, taskId] = [param(request, 'functionName'), param(request, 'taskId')];
      return taskShape(context, await context.tasks.get(account, name, query['qualifier'], taskId));
    },
  },
  {
    name: 'ListAsyncTasks',
    method: 'GET',
    path: TASKS,
    query: LIST_QUERY,
    run: async (context, request) => {
      const page = await context.tasks.list(request.account, param(request, 'functionName'), request.query);
      return pageAnswer('tasks', page, (stored) => taskShape(context, stored));
    },
  },
  {
    name: 'StopAsyncTask',
    method: 'PUT',
    path: `${TASKS}/:taskId/stop`,
    query: ['qualifier'],
    run: (context, request) => {
      const [name, taskId] = [param(request, 'functionName'), param(request, 'taskId')];
      return context.tasks.stop(request.account, name, request.query['qualifier'], taskId);
    },
  },
];

/** `AsyncTask` of FC reference 1.6: times in milliseconds, payloads as text, what is not known yet left out. */
function taskShape(context: OperationContext, { task, payload, result }: StoredTask): Record<string, unknown> {
  const { account, functionName, qualifier } = task;
  const shape: Record<string, unknown> = {
    taskId: task.taskId,
    requestId: task.requestId,
    functionArn: functionArn(context.region, account, functionName),
    qualifier,
    status: task.status,
    startedTime: task.startedAt,
    alreadyRetriedTimes: task.retries,
    events: task.steps.map(({ status, at, detail }, index) => ({
      eventId: index + 1,
      status,
      timestamp: at,
      eventDetail: detail,
    })),
  };
  if (task.endedAt !== undefined) shape['endTime'] = task.endedAt;
  if (task.instanceId !== '') {
    shape['instanceId'] = task.instanceId;
    shape['durationMs'] = task.durationMs;
  }
  if (task.message !== '') shape['taskErrorMessage'] = task.message;
  if (task.destinationStatus !== '') shape['destinationStatus'] = task.destinationStatus;
  if (payload !== undefined) shape['taskPayload'] = Buffer.from(payload).toString();
  if (result !== undefined) shape['returnPayload'] = Buffer.from(result).toString();
  return shape;
}
