import { roleArn } from '../../core/domain/identities.ts';
import type { RpcCall, RpcOperation } from './operation.ts';
import { pageOf } from './paging.ts';
import { listedRoleShape, roleShape } from './shapes.ts';

const ofRole = ({ account, parameters }: RpcCall): string => roleArn(account, parameters.required('RoleName'));

/** Roles and their trust policies. */
export const roleOperations: readonly RpcOperation[] = [
  {
    name: 'CreateRole',
    parameters: ['RoleName', 'AssumeRolePolicyDocument', 'Description', 'MaxSessionDuration'],
    resource: ofRole,
    run: async ({ identities, account, parameters }) => ({
      Role: roleShape(
        await identities.createRole(account, parameters.required('RoleName'), {
          trust: parameters.required('AssumeRolePolicyDocument'),
          description: parameters.text('Description'),
          maxSessionSeconds: parameters.integer('MaxSessionDuration'),
        }),
      ),
    }),
  },
  {
    name: 'GetRole',
    parameters: ['RoleName'],
    resource: ofRole,
    run: ({ identities, account, parameters }) => ({
      Role: roleShape(identities.getRole(account, parameters.required('RoleName'))),
    }),
  },
  {
    name: 'UpdateRole',
    parameters: ['RoleName', 'NewAssumeRolePolicyDocument', 'NewDescription', 'NewMaxSessionDuration'],
    resource: ofRole,
    run: async ({ identities, account, parameters }) => ({
      Role: roleShape(
        await identities.updateRole(account, parameters.required('RoleName'), {
          trust: parameters.text('NewAssumeRolePolicyDocument'),
          description: parameters.given('NewDescription'),
          maxSessionSeconds: parameters.integer('NewMaxSessionDuration'),
        }),
      ),
    }),
  },
  {
    name: 'DeleteRole',
    parameters: ['RoleName'],
    resource: ofRole,
    run: async ({ identities, account, parameters }) => {
      await identities.deleteRole(account, parameters.required('RoleName'));
      return {};
    },
  },
  {
    name: 'ListRoles',
    parameters: ['Marker', 'MaxItems'],
    resource: ({ account }) => roleArn(account, '*'),
    run: ({ identities, account, parameters }) => {
      const { page, rest } = pageOf(identities.listRoles(account), parameters, (role) => role.name);
      return { ...rest, Roles: { Role: page.map(listedRoleShape) } };
    },
  },
];
