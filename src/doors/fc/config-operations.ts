import { type Operation, pageAnswer, paging, param } from './operation.ts';
import { asyncConfigShape, concurrencyShape } from './resource-shapes.ts';

const CONFIG_LIST_QUERY = ['functionName', 'limit', 'nextToken'];

/** FC reference 1.6, configs. */
export const asyncConfigOperations: readonly Operation[] = [
  {
    name: 'PutAsyncInvokeConfig',
    method: 'PUT',
    path: '/functions/:functionName/async-invoke-config',
    query: ['qualifier'],
    body: 'json',
    run: async ({ control }, request) => {
      const { account, query, body } = request;
      const name = param(request, 'functionName');
      return asyncConfigShape(await control.putAsyncConfig(account, name, query['qualifier'], body));
    },
  },
  {
    name: 'GetAsyncInvokeConfig',
    method: 'GET',
    path: '/functions/:functionName/async-invoke-config',
    query: ['qualifier'],
    run: async ({ control }, request) => {
      const name = param(request, 'functionName');
      return asyncConfigShape(await control.getAsyncConfig(request.account, name, request.query['qualifier']));
    },
  },
  {
    name: 'DeleteAsyncInvokeConfig',
    method: 'DELETE',
    path: '/functions/:functionName/async-invoke-config',
    query: ['qualifier'],
    run: ({ control }, request) =>
      control.deleteAsyncConfig(request.account, param(request, 'functionName'), request.query['qualifier']),
  },
  {
    name: 'ListAsyncInvokeConfigs',
    method: 'GET',
    path: '/async-invoke-configs',
    query: CONFIG_LIST_QUERY,
    run: async ({ control }, { account, query }) =>
      pageAnswer(
        'configs',
        await control.listAsyncConfigs(account, query['functionName'], paging(query)),
        asyncConfigShape,
      ),
  },
];

/** FC reference 1.5, concurrency. */
export const concurrencyOperations: readonly Operation[] = [
  {
    name: 'PutConcurrencyConfig',
    method: 'PUT',
    path: '/functions/:functionName/concurrency',
    body: 'json',
    run: async ({ control }, request) =>
      concurrencyShape(
        await control.putConcurrencyConfig(request.account, param(request, 'functionName'), request.body),
      ),
  },
  {
    name: 'GetConcurrencyConfig',
    method: 'GET',
    path: '/functions/:functionName/concurrency',
    run: async ({ control }, request) =>
      concurrencyShape(await control.getConcurrencyConfig(request.account, param(request, 'functionName'))),
  },
  {
    name: 'DeleteConcurrencyConfig',
    method: 'DELETE',
    path: '/functions/:functionName/concurrency',
    run: ({ control }, request) => control.deleteConcurrencyConfig(request.account, param(request, 'functionName')),
  },
  {
    name: 'ListConcurrencyConfigs',
    method: 'GET',
    path: '/concurrency-configs',
    query: CONFIG_LIST_QUERY,
    run: async ({ control }, { account, query }) =>
      pageAnswer(
        'configs',
        await control.listConcurrencyConfigs(account, query['functionName'], paging(query)),
        concurrencyShape,
      ),
  },
];
