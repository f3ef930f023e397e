import type { Principal } from '../../core/domain/credentials.ts';
import type { RpcOperation } from './operation.ts';
import { timeOf } from './shapes.ts';

const TYPES: Readonly<Record<Principal['kind'], string>> = {
  root: 'Account',
  user: 'RAMUser',
  role: 'AssumedRoleUser',
  function: 'Function',
};

/** STS 2015-04-01. Who may assume a role is decided behind the port: it takes two policies. */
export const stsOperations: readonly RpcOperation[] = [
  {
    name: 'AssumeRole',
    parameters: ['RoleArn', 'RoleSessionName', 'Policy', 'DurationSeconds'],
    resource: undefined,
    run: ({ roleSessions, principal, parameters, conditions }) => {
      const request = {
        roleArn: parameters.required('RoleArn'),
        sessionName: parameters.required('RoleSessionName'),
        policy: parameters.text('Policy'),
        durationSeconds: parameters.integer('DurationSeconds'),
      };
      const { role, arn, credentials } = roleSessions.assumeRole(principal, request, conditions);
      return {
        AssumedRoleUser: { Arn: arn, AssumedRoleId: `${role.roleId}:${request.sessionName}` },
        Credentials: {
          AccessKeyId: credentials.accessKeyId,
          AccessKeySecret: credentials.accessKeySecret,
          SecurityToken: credentials.securityToken,
          Expiration: timeOf(credentials.expiresAt),
        },
      };
    },
  },
  {
    name: 'GetCallerIdentity',
    parameters: [],
    resource: undefined,
    run: ({ roleSessions, principal }) => {
      const id = roleSessions.idOf(principal);
      const [roleId] = id.split(':');
      return {
        AccountId: principal.account,
        Arn: principal.arn,
        IdentityType: TYPES[principal.kind],
        PrincipalId: id,
        ...(principal.kind === 'user' || principal.kind === 'root' ? { UserId: id } : {}),
        ...(principal.kind === 'role' ? { RoleId: roleId } : {}),
      };
    },
  },
];
