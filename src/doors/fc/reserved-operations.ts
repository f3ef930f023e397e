import type { Input, ListQuery, Page, ReservedConfigView } from '../../core/ports/control.ts';
import {
  type Operation,
  type OperationContext,
  type OperationRequest,
  pageAnswer,
  paging,
  param,
} from './operation.ts';
import { NO_PROVISION_CONFIG, NO_SCALING_CONFIG, provisionShape, scalingShape } from './reserved-shapes.ts';

/** One of the two dialects of reserved instances: its name, where it stands, and the commands behind it. */
interface Dialect {
  readonly name: string;
  readonly path: string;
  readonly listPath: string;
  readonly listField: string;
  /** What is answered when there is no config: zeros, never an error. */
  readonly none: Record<string, unknown>;
  readonly shape: (context: OperationContext, view: ReservedConfigView) => Record<string, unknown>;
  put(context: OperationContext, target: Target, input: Input): Promise<ReservedConfigView>;
  get(context: OperationContext, target: Target): Promise<ReservedConfigView | undefined>;
  delete(context: OperationContext, target: Target): Promise<void>;
  list(
    context: OperationContext,
    account: string,
    functionName: string | undefined,
    query: ListQuery,
  ): Promise<Page<ReservedConfigView>>;
}

type Target = readonly [account: string, functionName: string, qualifier: string | undefined];

const PROVISION: Dialect = {
  name: 'ProvisionConfig',
  path: '/functions/:functionName/provision-config',
  listPath: '/provision-configs',
  listField: 'provisionConfigs',
  none: NO_PROVISION_CONFIG,
  shape: provisionShape,
  put: ({ control }, target, input) => control.putProvisionConfig(...target, input),
  get: ({ control }, target) => control.getProvisionConfig(...target),
  delete: ({ control }, target) => control.deleteProvisionConfig(...target),
  list: ({ control }, account, functionName, query) => control.listProvisionConfigs(account, functionName, query),
};

const SCALING: Dialect = {
  name: 'ScalingConfig',
  path: '/functions/:functionName/scaling-config',
  listPath: '/scaling-configs',
  listField: 'scalingConfigs',
  none: NO_SCALING_CONFIG,
  shape: scalingShape,
  put: ({ control }, target, input) => control.putScalingConfig(...target, input),
  get: ({ control }, target) => control.getScalingConfig(...target),
  delete: ({ control }, target) => control.deleteScalingConfig(...target),
  list: ({ control }, account, functionName, query) => control.listScalingConfigs(account, functionName, query),
};

function targetOf(request: OperationRequest): Target {
  return [request.account, param(request, 'functionName'), request.query['qualifier']];
}

function operationsOf(dialect: Dialect): readonly Operation[] {
  const { name, path } = dialect;
  return [
    {
      name: `Put${name}`,
      method: 'PUT',
      path,
      query: ['qualifier'],
      body: 'json',
      run: async (context, request) =>
        dialect.shape(context, await dialect.put(context, targetOf(request), request.body)),
    },
    {
      name: `Get${name}`,
      method: 'GET',
      path,
      query: ['qualifier'],
      run: async (context, request) => {
        const view = await dialect.get(context, targetOf(request));
        return view === undefined ? dialect.none : dialect.shape(context, view);
      },
    },
    {
      name: `Delete${name}`,
      method: 'DELETE',
      path,
      query: ['qualifier'],
      run: (context, request) => dialect.delete(context, targetOf(request)),
    },
    {
      name: `List${name}s`,
      method: 'GET',
      path: dialect.listPath,
      query: ['functionName', 'limit', 'nextToken'],
      run: async (context, { account, query }) =>
        pageAnswer(
          dialect.listField,
          await dialect.list(context, account, query['functionName'], paging(query)),
          (view: ReservedConfigView) => dialect.shape(context, view),
        ),
    },
  ];
}

/** FC reference 1.5, reserved instances. */
export const reservedInstanceOperations: readonly Operation[] = [...operationsOf(PROVISION), ...operationsOf(SCALING)];
