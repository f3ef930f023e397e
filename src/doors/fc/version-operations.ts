import { type Operation, pageAnswer, paging, param } from './operation.ts';
import { aliasShape, versionShape } from './resource-shapes.ts';

/** FC reference 1.2. */
export const versionOperations: readonly Operation[] = [
  {
    name: 'PublishFunctionVersion',
    method: 'POST',
    path: '/functions/:functionName/versions',
    body: 'json',
    run: async ({ control }, request) =>
      versionShape(await control.publishVersion(request.account, param(request, 'functionName'), request.body)),
  },
  {
    name: 'ListFunctionVersions',
    method: 'GET',
    path: '/functions/:functionName/versions',
    query: ['direction', 'nextToken', 'limit'],
    run: async ({ control }, request) => {
      const page = await control.listVersions(request.account, param(request, 'functionName'), request.query);
      return { ...pageAnswer('versions', page, versionShape), direction: page.direction };
    },
  },
  {
    name: 'DeleteFunctionVersion',
    method: 'DELETE',
    path: '/functions/:functionName/versions/:versionId',
    run: ({ control }, request) =>
      control.deleteVersion(request.account, param(request, 'functionName'), param(request, 'versionId')),
  },
];

export const aliasOperations: readonly Operation[] = [
  {
    name: 'CreateAlias',
    method: 'POST',
    path: '/functions/:functionName/aliases',
    body: 'json',
    run: async ({ control }, request) =>
      aliasShape(await control.createAlias(request.account, param(request, 'functionName'), request.body)),
  },
  {
    name: 'ListAliases',
    method: 'GET',
    path: '/functions/:functionName/aliases',
    query: ['prefix', 'nextToken', 'limit'],
    run: async ({ control }, request) =>
      pageAnswer(
        'aliases',
        await control.listAliases(request.account, param(request, 'functionName'), paging(request.query)),
        aliasShape,
      ),
  },
  {
    name: 'GetAlias',
    method: 'GET',
    path: '/functions/:functionName/aliases/:aliasName',
    run: async ({ control }, request) =>
      aliasShape(await control.getAlias(request.account, param(request, 'functionName'), param(request, 'aliasName'))),
  },
  {
    name: 'UpdateAlias',
    method: 'PUT',
    path: '/functions/:functionName/aliases/:aliasName',
    body: 'json',
    run: async ({ control }, request) =>
      aliasShape(
        await control.updateAlias(
          request.account,
          param(request, 'functionName'),
          param(request, 'aliasName'),
          request.body,
        ),
      ),
  },
  {
    name: 'DeleteAlias',
    method: 'DELETE',
    path: '/functions/:functionName/aliases/:aliasName',
    run: ({ control }, request) =>
      control.deleteAlias(request.account, param(request, 'functionName'), param(request, 'aliasName')),
  },
];
