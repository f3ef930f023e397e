import { TidemillError } from '../../core/domain/errors.ts';
import { type Operation, pageAnswer, paging, param } from './operation.ts';
import { layerShape } from './resource-shapes.ts';

/** FC reference 1.3. */
export const layerOperations: readonly Operation[] = [
  {
    name: 'CreateLayerVersion',
    method: 'POST',
    path: '/layers/:layerName/versions',
    body: 'json',
    run: async (context, request) =>
      layerShape(
        context,
        await context.control.createLayerVersion(request.account, param(request, 'layerName'), request.body),
      ),
  },
  {
    name: 'ListLayerVersions',
    method: 'GET',
    path: '/layers/:layerName/versions',
    query: ['startVersion', 'limit'],
    run: async (context, { account, params, query }) => {
      const { items, nextVersion } = await context.control.listLayerVersions(account, params['layerName'] ?? '', {
        startVersion: query['startVersion'],
        limit: query['limit'],
      });
      const layers = items.map((view) => layerShape(context, view));
      return nextVersion === undefined ? { layers } : { layers, nextVersion };
    },
  },
  {
    name: 'GetLayerVersion',
    method: 'GET',
    path: '/layers/:layerName/versions/:version',
    run: async (context, request) =>
      layerShape(
        context,
        await context.control.getLayerVersion(request.account, param(request, 'layerName'), param(request, 'version')),
      ),
  },
  {
    // the whole ARN is one percent-encoded segment; the wildcard also takes clients that leave its slashes bare
    name: 'GetLayerVersionByArn',
    method: 'GET',
    path: '/layerarn/*',
    run: async (context, request) =>
      layerShape(context, await context.control.getLayerVersionByArn(request.account, param(request, '*'))),
  },
  {
    name: 'DeleteLayerVersion',
    method: 'DELETE',
    path: '/layers/:layerName/versions/:version',
    run: ({ control }, request) =>
      control.deleteLayerVersion(request.account, param(request, 'layerName'), param(request, 'version')),
  },
  {
    name: 'ListLayers',
    method: 'GET',
    path: '/layers',
    query: ['prefix', 'nextToken', 'limit', 'public', 'official'],
    run: async (context, { account, query }) =>
      pageAnswer(
        'layers',
        await context.control.listLayers(account, {
          ...paging(query),
          public: query['public'],
          official: query['official'],
        }),
        (view) => layerShape(context, view),
      ),
  },
  {
    name: 'PutLayerACL',
    method: 'PUT',
    path: '/layers/:layerName/acl',
    query: ['acl', 'public'],
    run: async ({ control }, request) => {
      await control.putLayerAcl(request.account, param(request, 'layerName'), aclOf(request.query));
    },
  },
];

/** `acl`, or its deprecated forerunner `public`. */
function aclOf(query: Readonly<Record<string, string | undefined>>): string {
  const acl = query['acl'] ?? (query['public'] === undefined ? undefined : query['public'] === 'true' ? '1' : '0');
  if (acl === undefined) throw new TidemillError('InvalidArgument', "The query parameter 'acl' is missing: '0' or '1'");
  return acl;
}
