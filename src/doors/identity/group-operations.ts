import type { RpcCall, RpcOperation } from './operation.ts';
import { pageOf } from './paging.ts';
import { groupShape, timeOf } from './shapes.ts';
import { refuseRename } from './user-operations.ts';

function groupArn(account: string, name: string): string {
  return `acs:ram::${account}:group/${name}`;
}

const ofGroup = ({ account, parameters }: RpcCall): string => groupArn(account, parameters.required('GroupName'));

/** Groups of users. */
export const groupOperations: readonly RpcOperation[] = [
  {
    name: 'CreateGroup',
    parameters: ['GroupName', 'Comments'],
    resource: ofGroup,
    run: async ({ identities, account, parameters }) => ({
      Group: groupShape(
        await identities.createGroup(account, parameters.required('GroupName'), parameters.text('Comments') ?? ''),
      ),
    }),
  },
  {
    name: 'GetGroup',
    parameters: ['GroupName'],
    resource: ofGroup,
    run: ({ identities, account, parameters }) => ({
      Group: groupShape(identities.getGroup(account, parameters.required('GroupName'))),
    }),
  },
  {
    name: 'UpdateGroup',
    parameters: ['GroupName', 'NewGroupName', 'NewComments'],
    resource: ofGroup,
    run: async ({ identities, account, parameters }) => {
      const name = parameters.required('GroupName');
      refuseRename('group', name, parameters.text('NewGroupName'));
      return { Group: groupShape(await identities.updateGroup(account, name, parameters.given('NewComments'))) };
    },
  },
  {
    name: 'DeleteGroup',
    parameters: ['GroupName'],
    resource: ofGroup,
    run: async ({ identities, account, parameters }) => {
      await identities.deleteGroup(account, parameters.required('GroupName'));
      return {};
    },
  },
  {
    name: 'ListGroups',
    parameters: ['Marker', 'MaxItems'],
    resource: ({ account }) => groupArn(account, '*'),
    run: ({ identities, account, parameters }) => {
      const { page, rest } = pageOf(identities.listGroups(account), parameters, (group) => group.name);
      return { ...rest, Groups: { Group: page.map(groupShape) } };
    },
  },
  {
    name: 'AddUserToGroup',
    parameters: ['UserName', 'GroupName'],
    resource: ofGroup,
    run: async ({ identities, account, parameters }) => {
      await identities.addUserToGroup(account, parameters.required('UserName'), parameters.required('GroupName'));
      return {};
    },
  },
  {
    name: 'RemoveUserFromGroup',
    parameters: ['UserName', 'GroupName'],
    resource: ofGroup,
    run: async ({ identities, account, parameters }) => {
      await identities.removeUserFromGroup(account, parameters.required('UserName'), parameters.required('GroupName'));
      return {};
    },
  },
  {
    name: 'ListUsersForGroup',
    parameters: ['GroupName', 'Marker', 'MaxItems'],
    resource: ofGroup,
    run: ({ identities, account, parameters }) => {
      const group = parameters.required('GroupName');
      const { page, rest } = pageOf(identities.usersOfGroup(account, group), parameters, (user) => user.name);
      const joined = (user: (typeof page)[number]): number =>
        user.groups.find((each) => each.name === group)?.joinedAt ?? 0;
      const shape = (user: (typeof page)[number]): unknown => ({
        UserName: user.name,
        DisplayName: user.displayName,
        JoinDate: timeOf(joined(user)),
      });
      return { ...rest, Users: { User: page.map(shape) } };
    },
  },
  {
    name: 'ListGroupsForUser',
    parameters: ['UserName'],
    resource: ({ account, parameters }) => `acs:ram::${account}:user/${parameters.required('UserName')}`,
    run: ({ identities, account, parameters }) => {
      const user = identities.getUser(account, parameters.required('UserName'));
      const groups = user.groups.map(({ name, joinedAt }) => {
        const { groupId, comments } = identities.getGroup(account, name);
        return { GroupName: name, GroupId: groupId, Comments: comments, JoinDate: timeOf(joinedAt) };
      });
      return { Groups: { Group: groups } };
    },
  },
];
