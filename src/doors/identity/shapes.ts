import {
  type AccessKeyRecord,
  type GroupRecord,
  type PolicyVersionRecord,
  type RoleRecord,
  roleArn,
  type UserRecord,
} from '../../core/domain/identities.ts';
import type { AttachedView, PolicyView } from '../../core/ports/identities.ts';

/** Answers of RAM 2015-05-01, as its SDK reads them. */
type Shape = Readonly<Record<string, unknown>>;

/** ISO 8601 in seconds, as RAM writes times. */
export function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

export function userShape(user: UserRecord): Shape {
  return {
    UserId: user.userId,
    UserName: user.name,
    DisplayName: user.displayName,
    Comments: user.comments,
    Email: user.email,
    MobilePhone: user.mobilePhone,
    CreateDate: timeOf(user.createdAt),
    UpdateDate: timeOf(user.updatedAt),
  };
}

export function keyShape(key: AccessKeyRecord): Shape {
  return { AccessKeyId: key.accessKeyId, Status: key.status, CreateDate: timeOf(key.createdAt) };
}

export function groupShape(group: GroupRecord): Shape {
  return {
    GroupId: group.groupId,
    GroupName: group.name,
    Comments: group.comments,
    CreateDate: timeOf(group.createdAt),
    UpdateDate: timeOf(group.updatedAt),
  };
}

/** Without the trust policy, as lists have it. */
export function listedRoleShape(role: RoleRecord): Shape {
  return {
    RoleId: role.roleId,
    RoleName: role.name,
    Arn: roleArn(role.account, role.name),
    Description: role.description,
    MaxSessionDuration: role.maxSessionSeconds,
    CreateDate: timeOf(role.createdAt),
    UpdateDate: timeOf(role.updatedAt),
  };
}

export function roleShape(role: RoleRecord): Shape {
  return { ...listedRoleShape(role), AssumeRolePolicyDocument: role.trust };
}

export function policyShape(policy: PolicyView): Shape {
  return {
    PolicyName: policy.name,
    PolicyType: policy.type,
    Description: policy.description,
    DefaultVersion: policy.defaultVersion,
    AttachmentCount: policy.attachmentCount,
    CreateDate: timeOf(policy.createdAt),
    UpdateDate: timeOf(policy.updatedAt),
  };
}

export function versionShape(version: PolicyVersionRecord, defaultVersion: string): Shape {
  return {
    VersionId: version.versionId,
    IsDefaultVersion: version.versionId === defaultVersion,
    PolicyDocument: version.document,
    CreateDate: timeOf(version.createdAt),
  };
}

export function attachedShape(attached: AttachedView): Shape {
  return {
    PolicyName: attached.name,
    PolicyType: attached.type,
    Description: attached.description,
    DefaultVersion: attached.defaultVersion,
    AttachDate: timeOf(attached.attachedAt),
  };
}
