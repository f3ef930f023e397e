import { blobId } from '../../core/ports/blob-store.ts';
import { functionShape } from './function-shape.ts';
import { type Operation, pageAnswer, param } from './operation.ts';

const LIST_QUERY = [
  'prefix',
  'nextToken',
  'limit',
  'fcVersion',
  'runtime',
  'gpuType',
  'description',
  'functionName',
  'resourceGroupId',
  'tags',
];

/** FC reference 1.1, without InvokeFunction: that one has no JSON body and a path of its own (invocation.ts). */
export const functionOperations: readonly Operation[] = [
  {
    name: 'CreateFunction',
    method: 'POST',
    path: '/functions',
    body: 'json',
    run: async ({ control }, { account, body }) =>
      functionShape(await control.createFunction(account, body), { listed: false }),
  },
  {
    name: 'ListFunctions',
    method: 'GET',
    path: '/functions',
    query: LIST_QUERY,
    run: async ({ control }, { account, query }) =>
      pageAnswer('functions', await control.listFunctions(account, query), (view) =>
        functionShape(view, { listed: true }),
      ),
  },
  {
    name: 'GetFunction',
    method: 'GET',
    path: '/functions/:functionName',
    query: ['qualifier'],
    run: async ({ control }, request) =>
      functionShape(
        await control.getFunction(request.account, param(request, 'functionName'), request.query['qualifier']),
        { listed: false },
      ),
  },
  {
    name: 'UpdateFunction',
    method: 'PUT',
    path: '/functions/:functionName',
    body: 'json',
    run: async ({ control }, request) =>
      functionShape(await control.updateFunction(request.account, param(request, 'functionName'), request.body), {
        listed: false,
      }),
  },
  {
    name: 'DeleteFunction',
    method: 'DELETE',
    path: '/functions/:functionName',
    run: ({ control }, request) => control.deleteFunction(request.account, param(request, 'functionName')),
  },
  {
    name: 'GetFunctionCode',
    method: 'GET',
    path: '/functions/:functionName/code',
    query: ['qualifier'],
    run: async ({ control, links }, request) => {
      const name = param(request, 'functionName');
      const code = await control.functionCode(request.account, name, request.query['qualifier']);
      return { url: links.link(blobId(code)), checksum: code.checksum };
    },
  },
  {
    name: 'EnableFunctionInvocation',
    method: 'POST',
    path: '/functions/:functionName/invoke/enable',
    run: async ({ control }, request) => {
      await control.enableInvocation(request.account, param(request, 'functionName'));
      return { success: true };
    },
  },
  {
    name: 'DisableFunctionInvocation',
    method: 'POST',
    path: '/functions/:functionName/invoke/disable',
    body: 'json',
    run: async ({ control }, request) => {
      await control.disableInvocation(request.account, param(request, 'functionName'), request.body);
      return { success: true };
    },
  },
];
