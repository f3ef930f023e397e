import type { Principal, TemporaryCredentials } from '../domain/credentials.ts';
import type { RoleRecord } from '../domain/identities.ts';
import type { RequestConditions } from '../domain/policy/decision.ts';

export interface AssumeRole {
  readonly roleArn: string;
  readonly sessionName: string;
  /** JSON; narrows what the role allows. */
  readonly policy: string | undefined;
  /** Default one hour. */
  readonly durationSeconds: number | undefined;
}

export interface AssumedRole {
  readonly role: RoleRecord;
  /** `acs:ram::ACCOUNT:assumed-role/ROLE/SESSION`. */
  readonly arn: string;
  readonly credentials: TemporaryCredentials;
}

/** Temporary credentials of roles. */
export interface RoleSessions {
  /**
   * AccessDenied unless the caller's policies allow `sts:AssumeRole` on the role and the role's trust policy names the caller; both
   * are needed, also within one account. A root has no business with roles: it is refused, as the vendor does.
   */
  assumeRole(caller: Principal, request: AssumeRole, context: RequestConditions): AssumedRole;
  /** Id of whom a principal stands for, 16 to 18 digits; of a session of a role `ROLEID:SESSION`. */
  idOf(principal: Principal): string;
}
