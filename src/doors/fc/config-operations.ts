import {
  type Operation,
  type OperationContext,
  type OperationRequest,
  pageAnswer,
  paging,
  param,
} from './operation.ts';
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
    writes: true,
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
    writes: true,
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
    writes: true,
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
    writes: true,
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

/**
 * FC reference 1.5, reserved instances: putting one is refused by control, so reading always finds none. Clients poll the
 * get operations, which answer zeros rather than an error; deleting what cannot exist leaves things as asked.
 */
export const reservedInstanceOperations: readonly Operation[] = [
  {
    name: 'PutProvisionConfig',
    method: 'PUT',
    path: '/functions/:functionName/provision-config',
    query: ['qualifier'],
    body: 'json',
    writes: true,
    run: ({ control }, request) =>
      control.putProvisionConfig(
        request.account,
        param(request, 'functionName'),
        request.query['qualifier'],
        request.body,
      ),
  },
  {
    name: 'GetProvisionConfig',
    method: 'GET',
    path: '/functions/:functionName/provision-config',
    query: ['qualifier'],
    run: async (context, request) => {
      await mustExist(context, request);
      return {
        functionArn: '',
        defaultTarget: 0,
        target: 0,
        current: 0,
        currentError: '',
        alwaysAllocateCPU: false,
        alwaysAllocateGPU: false,
        scheduledActions: [],
        targetTrackingPolicies: [],
      };
    },
  },
  {
    name: 'DeleteProvisionConfig',
    method: 'DELETE',
    path: '/functions/:functionName/provision-config',
    query: ['qualifier'],
    writes: true,
    run: mustExist,
  },
  {
    name: 'ListProvisionConfigs',
    method: 'GET',
    path: '/provision-configs',
    query: CONFIG_LIST_QUERY,
    run: async () => ({ provisionConfigs: [] }),
  },
  {
    name: 'PutScalingConfig',
    method: 'PUT',
    path: '/functions/:functionName/scaling-config',
    query: ['qualifier'],
    body: 'json',
    writes: true,
    run: ({ control }, request) =>
      control.putScalingConfig(
        request.account,
        param(request, 'functionName'),
        request.query['qualifier'],
        request.body,
      ),
  },
  {
    name: 'GetScalingConfig',
    method: 'GET',
    path: '/functions/:functionName/scaling-config',
    query: ['qualifier'],
    run: async (context, request) => {
      await mustExist(context, request);
      return {
        functionArn: '',
        minInstances: 0,
        currentInstances: 0,
        targetInstances: 0,
        currentError: '',
        enableOnDemandScaling: true,
        enableMixMode: false,
        horizontalScalingPolicies: [],
        scheduledPolicies: [],
      };
    },
  },
  {
    name: 'DeleteScalingConfig',
    method: 'DELETE',
    path: '/functions/:functionName/scaling-config',
    query: ['qualifier'],
    writes: true,
    run: mustExist,
  },
  {
    name: 'ListScalingConfigs',
    method: 'GET',
    path: '/scaling-configs',
    query: CONFIG_LIST_QUERY,
    run: async () => ({ scalingConfigs: [] }),
  },
];

/** Throws the error of an unknown function or qualifier. */
async function mustExist({ control }: OperationContext, request: OperationRequest): Promise<undefined> {
  await control.getFunction(request.account, param(request, 'functionName'), request.query['qualifier']);
  return undefined;
}
