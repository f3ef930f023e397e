import { TidemillError } from '../../core/domain/errors.ts';
import { userArn } from '../../core/domain/identities.ts';
import type { KeyOwner } from '../../core/ports/identities.ts';
import type { RpcCall, RpcOperation } from './operation.ts';
import { pageOf } from './paging.ts';
import { keyShape, timeOf, userShape } from './shapes.ts';

const DETAILS = ['DisplayName', 'Comments', 'Email', 'MobilePhone'] as const;

const ofUser = ({ account, parameters }: RpcCall): string => userArn(account, parameters.required('UserName'));
const ofUsers = ({ account }: RpcCall): string => userArn(account, '*');

/** Users of the caller's account. */
export const userOperations: readonly RpcOperation[] = [
  {
    name: 'CreateUser',
    parameters: ['UserName', ...DETAILS],
    resource: ofUser,
    run: async ({ identities, account, parameters }) => ({
      User: userShape(
        await identities.createUser(account, parameters.required('UserName'), {
          displayName: parameters.text('DisplayName'),
          comments: parameters.text('Comments'),
          email: parameters.text('Email'),
          mobilePhone: parameters.text('MobilePhone'),
        }),
      ),
    }),
  },
  {
    name: 'GetUser',
    parameters: ['UserName'],
    resource: ofUser,
    run: ({ identities, account, parameters }) => ({
      User: userShape(identities.getUser(account, parameters.required('UserName'))),
    }),
  },
  {
    name: 'UpdateUser',
    parameters: ['UserName', 'NewUserName', ...DETAILS.map((name) => `New${name}`)],
    resource: ofUser,
    run: async ({ identities, account, parameters }) => {
      const name = parameters.required('UserName');
      refuseRename('user', name, parameters.text('NewUserName'));
      const user = await identities.updateUser(account, name, {
        displayName: parameters.given('NewDisplayName'),
        comments: parameters.given('NewComments'),
        email: parameters.given('NewEmail'),
        mobilePhone: parameters.given('NewMobilePhone'),
      });
      return { User: userShape(user) };
    },
  },
  {
    name: 'DeleteUser',
    parameters: ['UserName'],
    resource: ofUser,
    run: async ({ identities, account, parameters }) => {
      await identities.deleteUser(account, parameters.required('UserName'));
      return {};
    },
  },
  {
    name: 'ListUsers',
    parameters: ['Marker', 'MaxItems'],
    resource: ofUsers,
    run: ({ identities, account, parameters }) => {
      const { page, rest } = pageOf(identities.listUsers(account), parameters, (user) => user.name);
      return { ...rest, Users: { User: page.map(userShape) } };
    },
  },
];

/** Whose keys are meant: without a UserName the caller's own, which may be a root's. */
function ownerOf({ account, principal, parameters }: RpcCall): KeyOwner {
  const user = parameters.text('UserName');
  if (user !== undefined) return { account, user };
  if (principal.kind === 'root') return { account, user: undefined };
  if (principal.kind === 'user' && principal.name !== undefined) return { account, user: principal.name };
  throw new TidemillError('InvalidArgument', 'The parameter UserName is missing: temporary credentials have no keys');
}

function ofOwner(call: RpcCall): string {
  const { account, user } = ownerOf(call);
  return user === undefined ? `acs:ram::${account}:root` : userArn(account, user);
}

/** Access keys of users, and of the root for the root itself. */
export const accessKeyOperations: readonly RpcOperation[] = [
  {
    name: 'CreateAccessKey',
    parameters: ['UserName'],
    resource: ofOwner,
    run: async (call) => {
      const { record, accessKeySecret } = await call.identities.createAccessKey(ownerOf(call));
      return { AccessKey: { ...keyShape(record), AccessKeySecret: accessKeySecret } };
    },
  },
  {
    name: 'UpdateAccessKey',
    parameters: ['UserName', 'UserAccessKeyId', 'Status'],
    resource: ofOwner,
    run: async (call) => {
      const status = call.parameters.oneOf('Status', ['Active', 'Inactive'] as const);
      if (status === undefined) throw new TidemillError('InvalidArgument', 'The parameter Status is missing');
      await call.identities.setAccessKeyStatus(ownerOf(call), call.parameters.required('UserAccessKeyId'), status);
      return {};
    },
  },
  {
    name: 'DeleteAccessKey',
    parameters: ['UserName', 'UserAccessKeyId'],
    resource: ofOwner,
    run: async (call) => {
      await call.identities.deleteAccessKey(ownerOf(call), call.parameters.required('UserAccessKeyId'));
      return {};
    },
  },
  {
    name: 'ListAccessKeys',
    parameters: ['UserName'],
    resource: ofOwner,
    run: (call) => ({ AccessKeys: { AccessKey: call.identities.listAccessKeys(ownerOf(call)).map(keyShape) } }),
  },
  {
    name: 'GetAccessKeyLastUsed',
    parameters: ['UserName', 'UserAccessKeyId'],
    resource: ofOwner,
    run: (call) => {
      const at = call.identities.accessKeyLastUsed(ownerOf(call), call.parameters.required('UserAccessKeyId'));
      return { AccessKeyLastUsed: { LastUsedDate: at === undefined ? '' : timeOf(at) } };
    },
  },
];

/** Names are what policies and ARNs go by. */
export function refuseRename(kind: string, name: string, next: string | undefined): void {
  if (next === undefined || next === name) return;
  throw new TidemillError('NotSupported', `Renaming a ${kind} is not supported by this platform`, {
    remedy: `Create a ${kind} of the new name and delete the old one.`,
  });
}
