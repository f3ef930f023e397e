import type { AttachedPolicy } from '../../core/domain/policy/document.ts';
import { readPolicy } from './policy-reading.ts';

/**
 * What the code of a function may do that has no execution role: invoke functions of its account, read and write the objects
 * of its account. Nothing about functions but calling them: configurations hold secrets. That it ends at the account's border
 * is said by no policy: nobody's does more.
 */
export const DEFAULT_OF_FUNCTIONS: AttachedPolicy = {
  name: 'TidemillFunctionDefault',
  source: 'builtin',
  document: readPolicy(
    JSON.stringify({
      Version: '1',
      Statement: [
        { Effect: 'Allow', Action: 'fc:InvokeFunction', Resource: 'acs:fc:*:*:functions/*' },
        {
          Effect: 'Allow',
          Action: ['oss:GetObject', 'oss:PutObject', 'oss:DeleteObject', 'oss:ListParts', 'oss:AbortMultipartUpload'],
          Resource: 'acs:oss:*:*:*/*',
        },
        {
          Effect: 'Allow',
          Action: ['oss:ListObjects', 'oss:ListMultipartUploads', 'oss:GetBucketInfo'],
          Resource: 'acs:oss:*:*:*',
        },
      ],
    }),
  ),
};
