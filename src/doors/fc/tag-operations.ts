import { TidemillError } from '../../core/domain/errors.ts';
import type { Input } from '../../core/ports/control.ts';
import { booleanParameter, jsonArray } from './json-parameter.ts';
import { type Operation, pageAnswer } from './operation.ts';
import { tagResourceShape } from './resource-shapes.ts';

/** FC reference 1.9: PascalCase throughout. */
export const tagOperations: readonly Operation[] = [
  {
    name: 'TagResources',
    method: 'POST',
    path: '/tags-v2',
    body: 'json',
    run: async ({ control }, { account, body, requestId }) => {
      refuseOtherMembers(body, ['ResourceId', 'ResourceType', 'Tag']);
      await control.tagResources(account, {
        resourceType: body['ResourceType'],
        resourceIds: body['ResourceId'],
        tags: body['Tag'],
      });
      return { RequestId: requestId };
    },
  },
  {
    name: 'ListTagResources',
    method: 'GET',
    path: '/tags-v2',
    query: ['ResourceType', 'ResourceId', 'Tag', 'NextToken', 'Limit'],
    run: async ({ control }, { account, query, requestId }) => {
      const selection = {
        resourceType: query['ResourceType'],
        resourceIds: jsonArray(query, 'ResourceId'),
        tags: jsonArray(query, 'Tag'),
      };
      const page = await control.listTagResources(account, selection, {
        limit: query['Limit'],
        nextToken: query['NextToken'],
      });
      const { nextToken, ...answer } = pageAnswer('TagResources', page, tagResourceShape);
      return { ...answer, ...(nextToken === undefined ? {} : { NextToken: nextToken }), RequestId: requestId };
    },
  },
  {
    name: 'UntagResources',
    method: 'DELETE',
    path: '/tags-v2',
    query: ['ResourceType', 'ResourceId', 'TagKey', 'All'],
    run: async ({ control }, { account, query, requestId }) => {
      await control.untagResources(account, {
        resourceType: query['ResourceType'],
        resourceIds: jsonArray(query, 'ResourceId'),
        tagKeys: jsonArray(query, 'TagKey'),
        all: booleanParameter(query, 'All'),
      });
      return { RequestId: requestId };
    },
  },
];

function refuseOtherMembers(body: Input, allowed: readonly string[]): void {
  const other = Object.keys(body).find((name) => !allowed.includes(name));
  if (other !== undefined) {
    throw new TidemillError('InvalidArgument', `The field '${other}' is unknown; known are ${allowed.join(', ')}`);
  }
}
