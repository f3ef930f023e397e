import type { AttachedPolicy, Statement } from '../../core/domain/policy/document.ts';
import { compilePattern } from '../../core/domain/policy/pattern.ts';

/**
 * What the code of a function may do that has no execution role: invoke functions of its account, read and write the objects
 * of its account. Nothing about functions but calling them: configurations hold secrets.
 */
export function defaultOfFunctions(account: string): AttachedPolicy {
  return {
    name: 'TidemillFunctionDefault',
    source: 'builtin',
    document: {
      statements: [
        allow(['fc:InvokeFunction'], [`acs:fc:*:${account}:functions/*`]),
        allow(
          ['oss:GetObject', 'oss:PutObject', 'oss:DeleteObject', 'oss:ListParts', 'oss:AbortMultipartUpload'],
          [`acs:oss:*:${account}:*/*`],
        ),
        allow(['oss:ListObjects', 'oss:ListMultipartUploads', 'oss:GetBucketInfo'], [`acs:oss:*:${account}:*`]),
      ],
    },
  };
}

function allow(actions: readonly string[], resources: readonly string[]): Statement {
  return {
    effect: 'Allow',
    actions: { except: false, patterns: actions.map((text) => compilePattern(text, { ignoreCase: true })) },
    resources: { except: false, patterns: resources.map((text) => compilePattern(text)) },
  };
}
