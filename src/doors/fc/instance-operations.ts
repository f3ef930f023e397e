import type { InstanceView } from '../../core/ports/scheduling.ts';
import { endedInstances } from './ended-instances.ts';
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

/**
 * Instances that exist; ended ones as well, as far as the log remembers them, when the request names their status, ids or a
 * span of time. A span takes what existed at some moment of it; `withAllActive` takes those that exist now in any case.
 */
async function listInstances(context: OperationContext, request: OperationRequest): Promise<unknown> {
  const { account, query, requestId } = request;
  const name = param(request, 'functionName');
  const allActive = booleanParameter(query, 'withAllActive') ?? false;
  const ids = jsonArray(query, 'instanceIds');
  const statuses = jsonArray(query, 'instanceStatus');
  const from = integerParameter(query, 'startTimeMs');
  const until = integerParameter(query, 'endTimeMs');
  const limit = integerParameter(query, 'limit');
  const qualifier = query['qualifier'];
  const versions = await versionsOf(context, account, name, qualifier);
  const startKey = query['startKey'];
  const span = from !== undefined || until !== undefined;
  const wantsEnded =
    span || ids !== undefined || statuses?.some((status) => status === 'Destroyed' || status === 'Error');
  const ended = wantsEnded === true ? await endedInstances(context.facts, { account, functionName: name }, from) : [];
  const alive = context.scheduling
    .instances(account, name)
    .map((instance) => ({ ...instance, status: STATUS[instance.state], destroyedAt: 0 }));
  const found = [...alive, ...ended]
    .filter((instance) => versions === undefined || versions.has(instance.versionId))
    .filter((instance) => ids === undefined || ids.includes(instance.instanceId))
    .filter((instance) => statuses === undefined || statuses.includes(instance.status))
    .filter(
      ({ createdAt, destroyedAt }) =>
        (allActive && destroyedAt === 0) ||
        ((from === undefined || destroyedAt === 0 || destroyedAt >= from) &&
          (until === undefined || createdAt <= until)),
    )
    .filter((instance) => startKey === undefined || startKey === '' || instance.instanceId >= startKey)
    .toSorted((a, b) => (a.instanceId < b.instanceId ? -1 : 1))
    .slice(0, limit);
  const instances = found.map((instance) => ({
    instanceId: instance.instanceId,
    versionId: instance.versionId === 'LATEST' ? '0' : instance.versionId,
    qualifier: qualifier ?? instance.versionId,
    status: instance.status,
    resourceType: instance.reserved === true ? 'Provision' : 'OnDemand',
    createdTimeMs: Math.round(instance.createdAt),
    destroyedTimeMs: instance.destroyedAt,
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
