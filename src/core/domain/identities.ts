/** What the platform keeps about accounts and identities. Documents of the metadata store; `src/services/access` writes them. */

/** An access key as it is kept: the secret only sealed. */
export interface AccessKeyRecord {
  readonly accessKeyId: string;
  readonly sealedSecret: string;
  readonly status: AccessKeyStatus;
  readonly createdAt: number;
}

export type AccessKeyStatus = 'Active' | 'Inactive';

/** A policy attached to a user, group or role. */
export interface AttachmentRecord {
  readonly type: PolicyType;
  readonly name: string;
  readonly attachedAt: number;
}

export type PolicyType = 'System' | 'Custom';

/** Who owns functions, buckets and identities; nothing of one account is seen by another. */
export interface AccountRecord {
  /** 16 decimal digits. */
  readonly account: string;
  readonly name: string;
  readonly status: 'active' | 'disabled';
  readonly createdAt: number;
  /** Of the account's root. The first account has the one of installation.json besides. */
  readonly keys: readonly AccessKeyRecord[];
  /** What the operator set otherwise than the limits table, see quota.ts. */
  readonly quotas: Readonly<Record<string, number>>;
}

export interface UserRecord {
  readonly account: string;
  readonly name: string;
  /** 18 decimal digits, never used again. */
  readonly userId: string;
  readonly displayName: string;
  readonly comments: string;
  readonly email: string;
  readonly mobilePhone: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly keys: readonly AccessKeyRecord[];
  readonly policies: readonly AttachmentRecord[];
  readonly groups: readonly { readonly name: string; readonly joinedAt: number }[];
}

export interface GroupRecord {
  readonly account: string;
  readonly name: string;
  readonly groupId: string;
  readonly comments: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly policies: readonly AttachmentRecord[];
}

export interface RoleRecord {
  readonly account: string;
  /** As it was given; looked up without regard to case, as its ARN is lower case. */
  readonly name: string;
  /** 18 decimal digits, never used again: credentials of a deleted role are not those of its successor. */
  readonly roleId: string;
  readonly description: string;
  /** The trust policy, as it was given. */
  readonly trust: string;
  readonly maxSessionSeconds: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly policies: readonly AttachmentRecord[];
  /** Credentials issued until then are refused, wall-clock milliseconds; 0: none are. */
  readonly sessionsAfter: number;
}

export interface PolicyVersionRecord {
  /** `v1`, `v2`, ... never used again within one policy. */
  readonly versionId: string;
  readonly document: string;
  readonly createdAt: number;
}

/** A custom policy. */
export interface PolicyRecord {
  readonly account: string;
  readonly name: string;
  readonly description: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly versions: readonly PolicyVersionRecord[];
  readonly defaultVersion: string;
  /** Number of the version created next. */
  readonly nextVersion: number;
}

/** `acs:ram::ACCOUNT:role/NAME`; the name in lower case, as the vendor has it. */
export function roleArn(account: string, name: string): string {
  return `acs:ram::${account}:role/${name.toLowerCase()}`;
}

export function userArn(account: string, name: string): string {
  return `acs:ram::${account}:user/${name}`;
}

/** Account and name of a role's ARN; undefined for anything else. */
export function parseRoleArn(arn: string): { readonly account: string; readonly name: string } | undefined {
  const match = /^acs:ram::(\d{16}):role\/([A-Za-z0-9._-]{1,64})$/.exec(arn);
  return match === null ? undefined : { account: match[1]!, name: match[2]! };
}
