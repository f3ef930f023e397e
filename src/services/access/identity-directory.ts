import type { Identities } from '../../core/ports/identities.ts';
import type { AccessKeys } from './access-keys.ts';
import type { Attachments } from './attachments.ts';
import type { Directory } from './directory.ts';
import type { Groups } from './groups.ts';
import type { LastUsed } from './last-used.ts';
import type { Policies } from './policies.ts';
import type { Roles } from './roles.ts';
import type { Users } from './users.ts';

interface IdentityParts {
  readonly directory: Directory;
  readonly users: Users;
  readonly keys: AccessKeys;
  readonly groups: Groups;
  readonly roles: Roles;
  readonly policies: Policies;
  readonly attachments: Attachments;
  readonly lastUsed: LastUsed;
}

/** The command interface, one method per operation, each handing on to the part that knows. */
export function toIdentities(parts: IdentityParts): Identities {
  return { ...peopleCommands(parts), ...policyCommands(parts) };
}

type PolicyCommand = Extract<
  keyof Identities,
  `${string}${'Policy' | 'Policies' | 'PolicyVersion' | 'PolicyEntities'}`
>;

function peopleCommands(parts: IdentityParts): Omit<Identities, PolicyCommand | 'policyEntities'> {
  const { directory, users, keys, groups, roles, lastUsed } = parts;
  return {
    createUser: (account, name, details) => users.create(account, name, details),
    getUser: (account, name) => users.get(account, name),
    updateUser: (account, name, details) => users.update(account, name, details),
    deleteUser: (account, name) => users.delete(account, name),
    listUsers: (account) => directory.all('user', account),
    createAccessKey: (owner) => keys.create(owner),
    setAccessKeyStatus: (owner, accessKeyId, status) => keys.setStatus(owner, accessKeyId, status),
    async deleteAccessKey(owner, accessKeyId) {
      await keys.delete(owner, accessKeyId);
      await lastUsed.forget(accessKeyId);
    },
    listAccessKeys: (owner) => keys.list(owner),
    accessKeyLastUsed: (owner, accessKeyId) => lastUsed.of(keys.require(owner, accessKeyId).accessKeyId),
    createGroup: (account, name, comments) => groups.create(account, name, comments),
    getGroup: (account, name) => groups.get(account, name),
    updateGroup: (account, name, comments) => groups.update(account, name, comments),
    deleteGroup: (account, name) => groups.delete(account, name),
    listGroups: (account) => directory.all('group', account),
    addUserToGroup: (account, user, group) => groups.addUser(account, user, group),
    removeUserFromGroup: (account, user, group) => groups.removeUser(account, user, group),
    usersOfGroup: (account, group) => groups.users(account, group),
    createRole: (account, name, details) => roles.create(account, name, details),
    getRole: (account, name) => roles.get(account, name),
    updateRole: (account, name, details) => roles.update(account, name, details),
    deleteRole: (account, name) => roles.delete(account, name),
    listRoles: (account) => directory.all('role', account),
    revokeSessions: (account, name) => roles.revokeSessions(account, name),
  };
}

function policyCommands({ policies, attachments }: IdentityParts): Pick<Identities, PolicyCommand | 'policyEntities'> {
  return {
    createPolicy: (account, name, document, description) => policies.create(account, name, document, description),
    getPolicy: (account, policy) => policies.get(account, policy),
    describePolicy: (account, name, description) => policies.describe(account, name, description),
    deletePolicy: (account, name) => policies.delete(account, name),
    listPolicies: (account, type) => policies.list(account, type),
    createPolicyVersion: (account, name, document, options) => policies.createVersion(account, name, document, options),
    setDefaultPolicyVersion: (account, name, versionId) => policies.setDefault(account, name, versionId),
    deletePolicyVersion: (account, name, versionId) => policies.deleteVersion(account, name, versionId),
    attachPolicy: (account, entity, policy) => attachments.attach(account, entity, policy),
    detachPolicy: (account, entity, policy) => attachments.detach(account, entity, policy),
    attachedPolicies: (account, entity) => attachments.of(account, entity),
    policyEntities: (account, policy) => policies.entities(account, policy),
  };
}
