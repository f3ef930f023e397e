import { TidemillError } from '../../core/domain/errors.ts';
import type { PolicyType } from '../../core/domain/identities.ts';
import type { EntityKind, PolicyRef, PolicyView } from '../../core/ports/identities.ts';
import type { RpcCall, RpcOperation } from './operation.ts';
import { pageOf } from './paging.ts';
import { attachedShape, groupShape, listedRoleShape, policyShape, timeOf, userShape, versionShape } from './shapes.ts';

const TYPES: readonly PolicyType[] = ['System', 'Custom'];

function policyArn(account: string, name: string): string {
  return `acs:ram::${account}:policy/${name}`;
}

const ofPolicy = ({ account, parameters }: RpcCall): string => policyArn(account, parameters.required('PolicyName'));

function refOf({ parameters }: RpcCall): PolicyRef {
  const type = parameters.oneOf('PolicyType', TYPES);
  if (type === undefined) throw new TidemillError('InvalidArgument', 'The parameter PolicyType is missing');
  return { type, name: parameters.required('PolicyName') };
}

function defaultOf(policy: PolicyView): PolicyView['versions'][number] | undefined {
  return policy.versions.find((version) => version.versionId === policy.defaultVersion);
}

/** Policies of the account and of the platform. */
const managing: readonly RpcOperation[] = [
  {
    name: 'CreatePolicy',
    parameters: ['PolicyName', 'PolicyDocument', 'Description'],
    resource: ofPolicy,
    run: async ({ identities, account, parameters }) => ({
      Policy: policyShape(
        await identities.createPolicy(
          account,
          parameters.required('PolicyName'),
          parameters.required('PolicyDocument'),
          parameters.text('Description') ?? '',
        ),
      ),
    }),
  },
  {
    name: 'GetPolicy',
    parameters: ['PolicyName', 'PolicyType'],
    resource: ofPolicy,
    run: (call) => {
      const policy = call.identities.getPolicy(call.account, refOf(call));
      const version = defaultOf(policy);
      return {
        Policy: { ...policyShape(policy), PolicyDocument: version?.document },
        DefaultPolicyVersion: version === undefined ? undefined : versionShape(version, policy.defaultVersion),
      };
    },
  },
  {
    name: 'UpdatePolicyDescription',
    parameters: ['PolicyName', 'NewDescription'],
    resource: ofPolicy,
    run: async ({ identities, account, parameters }) => {
      const description = parameters.given('NewDescription') ?? '';
      return {
        Policy: policyShape(await identities.describePolicy(account, parameters.required('PolicyName'), description)),
      };
    },
  },
  {
    name: 'DeletePolicy',
    parameters: ['PolicyName'],
    resource: ofPolicy,
    run: async ({ identities, account, parameters }) => {
      await identities.deletePolicy(account, parameters.required('PolicyName'));
      return {};
    },
  },
  {
    name: 'ListPolicies',
    parameters: ['PolicyType', 'Marker', 'MaxItems'],
    resource: ({ account }) => policyArn(account, '*'),
    run: ({ identities, account, parameters }) => {
      const policies = identities.listPolicies(account, parameters.oneOf('PolicyType', TYPES));
      const { page, rest } = pageOf(policies, parameters, (policy) => policy.name);
      return { ...rest, Policies: { Policy: page.map(policyShape) } };
    },
  },
];

const versions: readonly RpcOperation[] = [
  {
    name: 'CreatePolicyVersion',
    parameters: ['PolicyName', 'PolicyDocument', 'SetAsDefault', 'RotateStrategy'],
    resource: ofPolicy,
    run: async ({ identities, account, parameters }) => {
      const asDefault = parameters.boolean('SetAsDefault');
      const rotate = parameters.oneOf('RotateStrategy', ['None', 'DeleteOldestNonDefaultVersionWhenLimitExceeded']);
      const name = parameters.required('PolicyName');
      const options = { asDefault, dropOldest: rotate !== undefined && rotate !== 'None' };
      const document = parameters.required('PolicyDocument');
      const version = await identities.createPolicyVersion(account, name, document, options);
      return { PolicyVersion: versionShape(version, asDefault ? version.versionId : '') };
    },
  },
  {
    name: 'GetPolicyVersion',
    parameters: ['PolicyName', 'PolicyType', 'VersionId'],
    resource: ofPolicy,
    run: (call) => {
      const policy = call.identities.getPolicy(call.account, refOf(call));
      const versionId = call.parameters.required('VersionId');
      const version = policy.versions.find((each) => each.versionId === versionId);
      if (version === undefined) {
        throw new TidemillError(
          'EntityNotExist.Policy.Version',
          `The policy '${policy.name}' has no version '${versionId.slice(0, 20)}'`,
        );
      }
      return { PolicyVersion: versionShape(version, policy.defaultVersion) };
    },
  },
  {
    name: 'ListPolicyVersions',
    parameters: ['PolicyName', 'PolicyType'],
    resource: ofPolicy,
    run: (call) => {
      const policy = call.identities.getPolicy(call.account, refOf(call));
      const shapes = policy.versions.map((version) => versionShape(version, policy.defaultVersion));
      return { PolicyVersions: { PolicyVersion: shapes } };
    },
  },
  {
    name: 'SetDefaultPolicyVersion',
    parameters: ['PolicyName', 'VersionId'],
    resource: ofPolicy,
    run: async ({ identities, account, parameters }) => {
      const versionId = parameters.required('VersionId');
      await identities.setDefaultPolicyVersion(account, parameters.required('PolicyName'), versionId);
      return {};
    },
  },
  {
    name: 'DeletePolicyVersion',
    parameters: ['PolicyName', 'VersionId'],
    resource: ofPolicy,
    run: async ({ identities, account, parameters }) => {
      const versionId = parameters.required('VersionId');
      await identities.deletePolicyVersion(account, parameters.required('PolicyName'), versionId);
      return {};
    },
  },
];

function arnOfEntity(kind: EntityKind, { account, parameters }: RpcCall, parameter: string): string {
  const name = parameters.required(parameter);
  return `acs:ram::${account}:${kind}/${kind === 'role' ? name.toLowerCase() : name}`;
}

/** Attach, detach and list for one kind of entity. */
function attaching(kind: EntityKind, title: string): readonly RpcOperation[] {
  const parameter = `${title}Name`;
  const resource = (call: RpcCall): string => arnOfEntity(kind, call, parameter);
  const entity = (call: RpcCall) => ({ kind, name: call.parameters.required(parameter) });
  return [
    {
      name: `AttachPolicyTo${title}`,
      parameters: ['PolicyType', 'PolicyName', parameter],
      resource,
      run: async (call) => {
        await call.identities.attachPolicy(call.account, entity(call), refOf(call));
        return {};
      },
    },
    {
      name: `DetachPolicyFrom${title}`,
      parameters: ['PolicyType', 'PolicyName', parameter],
      resource,
      run: async (call) => {
        await call.identities.detachPolicy(call.account, entity(call), refOf(call));
        return {};
      },
    },
    {
      name: `ListPoliciesFor${title}`,
      parameters: [parameter],
      resource,
      run: (call) => ({
        Policies: { Policy: call.identities.attachedPolicies(call.account, entity(call)).map(attachedShape) },
      }),
    },
  ];
}

const entities: RpcOperation = {
  name: 'ListEntitiesForPolicy',
  parameters: ['PolicyType', 'PolicyName'],
  resource: ofPolicy,
  run: (call) => {
    const { users, groups, roles } = call.identities.policyEntities(call.account, refOf(call));
    const at = (attachedAt: number) => ({ AttachDate: timeOf(attachedAt) });
    return {
      Users: { User: users.map(({ record, attachedAt }) => ({ ...userShape(record), ...at(attachedAt) })) },
      Groups: { Group: groups.map(({ record, attachedAt }) => ({ ...groupShape(record), ...at(attachedAt) })) },
      Roles: { Role: roles.map(({ record, attachedAt }) => ({ ...listedRoleShape(record), ...at(attachedAt) })) },
    };
  },
};

export const policyOperations: readonly RpcOperation[] = [
  ...managing,
  ...versions,
  ...attaching('user', 'User'),
  ...attaching('group', 'Group'),
  ...attaching('role', 'Role'),
  entities,
];
