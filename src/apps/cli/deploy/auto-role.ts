import type { FcClient } from '../api/fc-client.ts';
import { attachedTo } from '../commands/identities.ts';

/** What `role: auto` of a manifest stands for: one role for the account, made when it is first needed. */
const NAME = 'tidemill-auto';
const POLICIES = ['AliyunFCInvocationAccess', 'AliyunOSSFullAccess'];
const TRUST = JSON.stringify({
  Version: '1',
  Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: ['fc.aliyuncs.com'] } }],
});

interface Answer {
  readonly Role: { readonly Arn: string };
}

/** The ARN of the role, which is there with policies afterwards. One that has any keeps what it was given. */
export async function ensureAutoRole(client: FcClient): Promise<string> {
  const known = await client.find<Answer>(['EntityNotExist.Role'], 'GetRole', 'POST', '/', {
    version: '2015-05-01',
    query: { RoleName: NAME },
  });
  if (known !== undefined && (await attachedTo(client, 'Role', NAME)).length > 0) return known.Role.Arn;
  const made =
    known ??
    (await client.ram<Answer>('CreateRole', {
      RoleName: NAME,
      AssumeRolePolicyDocument: TRUST,
      Description: 'made by tidemill deploy for role: auto',
    }));
  for (const PolicyName of POLICIES) {
    await client.ram('AttachPolicyToRole', { RoleName: NAME, PolicyName, PolicyType: 'System' });
  }
  return made.Role.Arn;
}
