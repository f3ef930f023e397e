import type {
  AccessKeyRecord,
  AccessKeyStatus,
  AttachmentRecord,
  GroupRecord,
  PolicyType,
  PolicyVersionRecord,
  RoleRecord,
  UserRecord,
} from '../domain/identities.ts';

/** A key that was just made: the only time its secret is told. */
export interface NewAccessKey {
  readonly record: AccessKeyRecord;
  readonly accessKeySecret: string;
}

/** A policy, of the platform or of the account. */
export interface PolicyView {
  readonly name: string;
  readonly type: PolicyType;
  readonly description: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly defaultVersion: string;
  readonly versions: readonly PolicyVersionRecord[];
  /** Users, groups and roles of the account that it is attached to. */
  readonly attachmentCount: number;
}

/** A policy as it is attached to somebody. */
export interface AttachedView extends AttachmentRecord {
  readonly description: string;
  readonly defaultVersion: string;
}

export type EntityKind = 'user' | 'group' | 'role';

/** What policies are attached to. */
export interface EntityRef {
  readonly kind: EntityKind;
  readonly name: string;
}

export interface PolicyRef {
  readonly type: PolicyType;
  readonly name: string;
}

export interface UserDetails {
  readonly displayName?: string | undefined;
  readonly comments?: string | undefined;
  readonly email?: string | undefined;
  readonly mobilePhone?: string | undefined;
}

export interface RoleDetails {
  readonly description?: string | undefined;
  readonly trust?: string | undefined;
  readonly maxSessionSeconds?: number | undefined;
}

/** Attached where, for one policy. */
export interface PolicyEntities {
  readonly users: readonly { readonly record: UserRecord; readonly attachedAt: number }[];
  readonly groups: readonly { readonly record: GroupRecord; readonly attachedAt: number }[];
  readonly roles: readonly { readonly record: RoleRecord; readonly attachedAt: number }[];
}

/** Whose keys: a user's, or those of the account's root (`user` undefined). */
export interface KeyOwner {
  readonly account: string;
  readonly user: string | undefined;
}

/**
 * Users, groups, roles, policies and keys of accounts, as RAM has them: a change is in force for the next call when it
 * resolves. Rejects with the codes of the error table, named after RAM's. Who may call what is the door's business.
 */
export interface Identities {
  createUser(account: string, name: string, details: UserDetails): Promise<UserRecord>;
  getUser(account: string, name: string): UserRecord;
  updateUser(account: string, name: string, details: UserDetails): Promise<UserRecord>;
  /** DeleteConflict.User while the user has keys, policies or groups. */
  deleteUser(account: string, name: string): Promise<void>;
  listUsers(account: string): readonly UserRecord[];

  createAccessKey(owner: KeyOwner): Promise<NewAccessKey>;
  setAccessKeyStatus(owner: KeyOwner, accessKeyId: string, status: AccessKeyStatus): Promise<void>;
  deleteAccessKey(owner: KeyOwner, accessKeyId: string): Promise<void>;
  listAccessKeys(owner: KeyOwner): readonly AccessKeyRecord[];
  /** When a request signed with the key was last let in; undefined: never. */
  accessKeyLastUsed(owner: KeyOwner, accessKeyId: string): number | undefined;

  createGroup(account: string, name: string, comments: string): Promise<GroupRecord>;
  getGroup(account: string, name: string): GroupRecord;
  updateGroup(account: string, name: string, comments: string | undefined): Promise<GroupRecord>;
  deleteGroup(account: string, name: string): Promise<void>;
  listGroups(account: string): readonly GroupRecord[];
  addUserToGroup(account: string, user: string, group: string): Promise<void>;
  removeUserFromGroup(account: string, user: string, group: string): Promise<void>;
  usersOfGroup(account: string, group: string): readonly UserRecord[];

  createRole(account: string, name: string, details: RoleDetails & { readonly trust: string }): Promise<RoleRecord>;
  getRole(account: string, name: string): RoleRecord;
  updateRole(account: string, name: string, details: RoleDetails): Promise<RoleRecord>;
  /** Its credentials stop at once. DeleteConflict.Role.Policy while policies are attached. */
  deleteRole(account: string, name: string): Promise<void>;
  listRoles(account: string): readonly RoleRecord[];
  /** Credentials of the role that exist already are refused from now on; new ones may be had. */
  revokeSessions(account: string, name: string): Promise<RoleRecord>;

  createPolicy(account: string, name: string, document: string, description: string): Promise<PolicyView>;
  getPolicy(account: string, policy: PolicyRef): PolicyView;
  describePolicy(account: string, name: string, description: string): Promise<PolicyView>;
  /** DeleteConflict.Policy while it is attached, or has more than its default version. */
  deletePolicy(account: string, name: string): Promise<void>;
  /** Of one type, or of both: those of the platform come last. */
  listPolicies(account: string, type: PolicyType | undefined): readonly PolicyView[];
  createPolicyVersion(
    account: string,
    name: string,
    document: string,
    options: { readonly asDefault: boolean; readonly dropOldest: boolean },
  ): Promise<PolicyVersionRecord>;
  setDefaultPolicyVersion(account: string, name: string, versionId: string): Promise<void>;
  deletePolicyVersion(account: string, name: string, versionId: string): Promise<void>;
  attachPolicy(account: string, entity: EntityRef, policy: PolicyRef): Promise<void>;
  detachPolicy(account: string, entity: EntityRef, policy: PolicyRef): Promise<void>;
  attachedPolicies(account: string, entity: EntityRef): readonly AttachedView[];
  policyEntities(account: string, policy: PolicyRef): PolicyEntities;
}
