import type { InstanceView } from '../../core/ports/scheduling.ts';
import { integerParameter, jsonArray, booleanParameter } from './json-parameter.ts';
import { type Operation, type OperationContext, type OperationRequest, param } from './operation.ts';

const STATUS: Record<InstanceView['state'], string> = { starting: 'Creating', ready: 'Running', draining: 'Running' };

/** FC reference 1.8 and 1.9: what is known about running instances, regions and networks. */
export const instanceOperations: readonly Operation[] = [
  {
    name: 'ListInstances',
    method: 'GET',
    path: '/functions/:functionName/instances',
    query: [
      'qualifier',
      'withAllActive',
      'instanceStatus',
      'instanceIds',
      'startTimeMs',
      'endTimeMs',
      'startKey',
      'limit',
    ],
    run: listInstances,
  },
  {
    name: 'DescribeRegions',
    method: 'GET',
    path: '/regions',
    query: ['AcceptLanguage'],
    run: async ({ region }) => ({ Regions: { Region: [{ RegionId: region, LocalName: region }] } }),
  },
  {
    name: 'ListVpcBindings',
    method: 'GET',
    path: '/functions/:functionName/vpc-bindings',
    run: async ({ control }, request) => {
      await control.getFunction(request.account, param(request, 'functionName'));
      return { vpcIds: [] };
    },
  },
];

/** Only instances that exist now are known, so `withAllActive` changes nothing and `destroyedTimeMs` is 0. */
async function listInstances(context: OperationContext, request: OperationRequest): Promise<unknown> {
  const { account, query, requestId } = request;
  const name = param(request, 'functionName');
  booleanParameter(query, 'withAllActive');
  const ids = jsonArray(query, 'instanceIds');
  const statuses = jsonArray(query, 'instanceStatus');
  const from = integerParameter(query, 'startTimeMs');
  const until = integerParameter(query, 'endTimeMs');
  const limit = integerParameter(query, 'limit');
  const qualifier = query['qualifier'];
  const versions = await versionsOf(context, account, name, qualifier);
  const startKey = query['startKey'];
  const found = context.scheduling
    .instances(account, name)
    .filter((instance) => versions === undefined || versions.has(instance.versionId))
    .filter((instance) => ids === undefined || ids.includes(instance.instanceId))
    .filter((instance) => statuses === undefined || statuses.includes(STATUS[instance.state]))
    .filter(
      (instance) =>
        (from === undefined || instance.createdAt >= from) && (until === undefined || instance.createdAt <= until),
    )
    .filter((instance) => startKey === undefined || startKey === '' || instance.instanceId >= startKey)
    .toSorted((a, b) => (a.instanceId < b.instanceId ? -1 : 1))
    .slice(0, limit);
  const instances = found.map((instance) => ({
    instanceId: instance.instanceId,
    versionId: instance.versionId === 'LATEST' ? '0' : instance.versionId,
    qualifier: qualifier ?? instance.versionId,
    status: STATUS[instance.state],
    resourceType: 'OnDemand',
    createdTimeMs: instance.createdAt,
    destroyedTimeMs: 0,
  }));
  return { instances, requestId };
}

/** The versions a qualifier stands for; undefined: all. Throws when function or qualifier do not exist. */
async function versionsOf(
  { control }: OperationContext,
  account: string,
  name: string,
  qualifier: string | undefined,
): Promise<ReadonlySet<string> | undefined> {
  const view = await control.getFunction(account, name, qualifier);
  if (qualifier === undefined || qualifier === '') return undefined;
  if (qualifier === 'LATEST' || /^\d+$/.test(qualifier)) return new Set([view.versionId]);
  const alias = await control.getAlias(account, name, qualifier);
  return new Set([alias.versionId, ...Object.keys(alias.additionalVersionWeight)]);
}
