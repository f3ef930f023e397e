import { type Operation, pageAnswer, paging, param } from './operation.ts';
import { triggerShape } from './resource-shapes.ts';

/** FC reference 1.4. */
export const triggerOperations: readonly Operation[] = [
  {
    name: 'CreateTrigger',
    method: 'POST',
    path: '/functions/:functionName/triggers',
    body: 'json',
    run: async (context, request) =>
      triggerShape(
        context,
        await context.control.createTrigger(
          request.account,
          param(request, 'functionName'),
          request.body,
          request.lineage,
        ),
      ),
  },
  {
    name: 'ListTriggers',
    method: 'GET',
    path: '/functions/:functionName/triggers',
    query: ['prefix', 'nextToken', 'limit'],
    run: async (context, request) =>
      pageAnswer(
        'triggers',
        await context.control.listTriggers(request.account, param(request, 'functionName'), paging(request.query)),
        (trigger) => triggerShape(context, trigger),
      ),
  },
  {
    name: 'GetTrigger',
    method: 'GET',
    path: '/functions/:functionName/triggers/:triggerName',
    run: async (context, request) =>
      triggerShape(
        context,
        await context.control.getTrigger(
          request.account,
          param(request, 'functionName'),
          param(request, 'triggerName'),
        ),
      ),
  },
  {
    name: 'UpdateTrigger',
    method: 'PUT',
    path: '/functions/:functionName/triggers/:triggerName',
    body: 'json',
    run: async (context, request) =>
      triggerShape(
        context,
        await context.control.updateTrigger(
          request.account,
          param(request, 'functionName'),
          param(request, 'triggerName'),
          request.body,
          request.lineage,
        ),
      ),
  },
  {
    name: 'DeleteTrigger',
    method: 'DELETE',
    path: '/functions/:functionName/triggers/:triggerName',
    run: ({ control }, request) =>
      control.deleteTrigger(request.account, param(request, 'functionName'), param(request, 'triggerName')),
  },
];
