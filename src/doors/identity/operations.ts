import { groupOperations } from './group-operations.ts';
import type { RpcOperation } from './operation.ts';
import { policyOperations } from './policy-operations.ts';
import { roleOperations } from './role-operations.ts';
import { stsOperations } from './sts-operations.ts';
import { accessKeyOperations, userOperations } from './user-operations.ts';

const NO_LOGIN = 'There is no console login: people and programs use access keys.';
const NO_MFA = 'There is no second factor: give each person a key of their own and rotate it.';
const NO_ALIAS = 'Name the account by its id.';
const NO_TAGS = 'Only functions have tags.';
const NO_FEDERATION = 'Let a user or role of the account assume the role.';

/** One dialect version served by this door. */
export interface RpcApi {
  readonly version: string;
  readonly operations: ReadonlyMap<string, RpcOperation>;
  /** Known by name and not here, with what to do instead. */
  readonly refused: ReadonlyMap<string, string>;
}

function byName(operations: readonly RpcOperation[]): ReadonlyMap<string, RpcOperation> {
  return new Map(operations.map((operation) => [operation.name, operation]));
}

function refusals(groups: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(groups).flatMap(([remedy, names]) => names.map((name) => [name, remedy] as const)));
}

export const RAM: RpcApi = {
  version: '2015-05-01',
  operations: byName([
    ...userOperations,
    ...accessKeyOperations,
    ...groupOperations,
    ...roleOperations,
    ...policyOperations,
  ]),
  refused: refusals({
    [NO_LOGIN]: [
      ...['CreateLoginProfile', 'GetLoginProfile', 'UpdateLoginProfile', 'DeleteLoginProfile', 'ChangePassword'],
      ...['GetPasswordPolicy', 'SetPasswordPolicy', 'GetSecurityPreference', 'SetSecurityPreference'],
    ],
    [NO_MFA]: [
      ...['BindMFADevice', 'UnbindMFADevice', 'GetUserMFAInfo'],
      ...['CreateVirtualMFADevice', 'DeleteVirtualMFADevice', 'ListVirtualMFADevices'],
    ],
    [NO_ALIAS]: ['GetAccountAlias', 'SetAccountAlias', 'ClearAccountAlias'],
    [NO_TAGS]: ['TagResources', 'UntagResources', 'ListTagResources'],
    ['The message of a refusal says what denied it.']: ['DecodeDiagnosticMessage'],
  }),
};

export const STS: RpcApi = {
  version: '2015-04-01',
  operations: byName(stsOperations),
  refused: refusals({ [NO_FEDERATION]: ['AssumeRoleWithSAML', 'AssumeRoleWithOIDC'] }),
};
