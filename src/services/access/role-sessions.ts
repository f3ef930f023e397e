import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/base/clock.ts';
import { parseFunctionArn } from '../../core/domain/arn.ts';
import type { Principal, TemporaryCredentials } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { parseRoleArn, type RoleRecord, roleArn } from '../../core/domain/identities.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { RequestConditions } from '../../core/domain/policy/decision.ts';
import type { TrustPolicy } from '../../core/domain/policy/document.ts';
import { type Trusted, trusts } from '../../core/domain/policy/trust.ts';
import type { Access } from '../../core/ports/access.ts';
import type { AssumedRole, AssumeRole, RoleSessions } from '../../core/ports/role-sessions.ts';
import type { RoleTrust } from '../../core/ports/role-trust.ts';
import { AskedConditions } from './asked-conditions.ts';
import { type Directory, type Held, SELF } from './directory.ts';
import { checkLength, checkName, invalid } from './input.ts';
import { documentOf, trustOf } from './policy-documents.ts';
import { type TemporaryKeys, TOKEN_LENGTH_MAX } from './temporary-keys.ts';

interface RoleSessionsOptions {
  readonly directory: Directory;
  readonly keys: TemporaryKeys;
  readonly access: Access;
  readonly clock: Clock;
}

/** Life of the credentials that instances of functions get. */
const FUNCTION_LIFE_MS = 60 * 60 * 1000;
/** Renewed when less than this is left, so that a call never starts with credentials about to end. */
const RENEW_MS = FUNCTION_LIFE_MS / 3;
const ISSUED_CAPACITY = 100_000;
/** Remembered for one function; more are forgotten together. */
const ROLES_PER_FUNCTION = 16;
/** The service that trust policies of execution roles name. */
const FC_SERVICE = 'fc.aliyuncs.com';

interface Issued {
  readonly credentials: TemporaryCredentials;
  /** The role they were issued for, as it was then; undefined: the function has none. */
  readonly role: { readonly held: Held<RoleRecord>; readonly record: RoleRecord } | undefined;
}

/** Roles are assumed here: by users and roles of this and other accounts, and by functions. */
export class RoleAssumptions implements RoleSessions, RoleTrust {
  private readonly options: RoleSessionsOptions;
  /** By function, then by role: versions of one function may have different ones. Strings that live long are found fastest. */
  private readonly issued = new LRUCache<string, Map<string, Issued>>({ max: ISSUED_CAPACITY });

  constructor(options: RoleSessionsOptions) {
    this.options = options;
  }

  assumeRole(caller: Principal, request: AssumeRole, context: RequestConditions): AssumedRole {
    const { sessionName, policy, durationSeconds } = request;
    checkName('session', 'RoleSessionName', sessionName);
    const target = parseRoleArn(request.roleArn);
    if (target === undefined) throw invalid('RoleArn', 'must be of the form acs:ram::ACCOUNT:role/NAME');
    const arn = roleArn(target.account, target.name);
    this.checkCaller(caller, arn, context);
    const asked = new AskedConditions(caller, this.options.clock, context);
    const role = this.trusting(target.account, target.name, trustedOf(caller), asked);
    if (role === undefined) throw notTrusted(caller.arn, arn);
    const seconds = durationSeconds ?? LIMITS.roleSessionDefaultSeconds;
    const least = LIMITS.roleSessionMinSeconds;
    const most = role.maxSessionSeconds;
    if (!Number.isInteger(seconds) || seconds < least || seconds > most) {
      throw invalid('DurationSeconds', `must be a whole number from ${least} to ${most}, the most this role allows`);
    }
    const credentials = this.options.keys.issue(
      { account: target.account, role, sessionName, sessionPolicy: checkedPolicy(policy) },
      seconds * 1000,
    );
    if (credentials.securityToken.length > TOKEN_LENGTH_MAX) {
      throw invalid('Policy', 'makes the security token too long: shorten it');
    }
    return { role, arn: sessionArn(role, sessionName), credentials };
  }

  idOf(principal: Principal): string {
    const { account, name, kind, sessionName } = principal;
    if (kind === 'user' && name !== undefined)
      return this.options.directory.get('user', account, name)?.userId ?? account;
    if (kind !== 'role' || name === undefined) return account;
    return `${this.options.directory.get('role', account, name)?.roleId ?? ''}:${sessionName ?? ''}`;
  }

  /**
   * Credentials for the instances of one function: of its role, else of the function itself. The same ones until they near expiry or
   * the role changes. Throws AccessDenied when the role is gone or does not trust functions.
   */
  ofFunction(account: string, functionArn: string, role: string | undefined): TemporaryCredentials {
    const wanted = role ?? '';
    let ofRoles = this.issued.get(functionArn);
    const known = ofRoles?.get(wanted);
    const left = known === undefined ? 0 : known.credentials.expiresAt - this.options.clock.now();
    // A clock that was set back must not stretch a life.
    if (known !== undefined && left >= RENEW_MS && left <= FUNCTION_LIFE_MS) {
      if (known.role === undefined || known.role.held.value === known.role.record) return known.credentials;
    }
    const issued = wanted === '' ? this.plain(account, functionArn) : this.asRole(account, functionArn, wanted);
    if (ofRoles === undefined || ofRoles.size >= ROLES_PER_FUNCTION)
      this.issued.set(functionArn, (ofRoles = new Map()));
    ofRoles.set(wanted, issued);
    return issued.credentials;
  }

  trustOf(account: string, roleName: string): TrustPolicy | undefined {
    const role = this.options.directory.get('role', account, roleName);
    return role === undefined ? undefined : trustOf(role.trust);
  }

  private plain(account: string, functionArn: string): Issued {
    return { credentials: this.options.keys.issue({ account, functionArn }, FUNCTION_LIFE_MS), role: undefined };
  }

  private asRole(account: string, functionArn: string, role: string): Issued {
    const held = this.executionRole(account, role);
    const record = held.value;
    const sessionName = (parseFunctionArn(functionArn)?.name ?? 'function').slice(0, 64);
    const credentials = this.options.keys.issue({ account, role: record, sessionName, functionArn }, FUNCTION_LIFE_MS);
    return { credentials, role: { held, record } };
  }

  private executionRole(account: string, arn: string): Held<RoleRecord> & { readonly value: RoleRecord } {
    const target = parseRoleArn(arn);
    const held = target?.account === account ? this.options.directory.held('role', account, target.name) : undefined;
    if (held?.value === undefined) {
      throw new TidemillError('AccessDenied', `the role '${arn}' of the function does not exist in its account`, {
        remedy: 'Create the role, or give the function another one.',
      });
    }
    if (!trusts(trustOf(held.value.trust), { kind: 'service', service: FC_SERVICE }, this.timeOnly())) {
      throw new TidemillError('AccessDenied', `the role '${arn}' does not let functions have it`, {
        remedy: `Let its trust policy allow sts:AssumeRole to the service ${FC_SERVICE}.`,
      });
    }
    return held as Held<RoleRecord> & { readonly value: RoleRecord };
  }

  /** What may be asked about a service that takes a role: it comes from nowhere. */
  private timeOnly(): RequestConditions {
    const now = new Date(this.options.clock.now()).toISOString();
    return { get: (key) => (key === 'acs:currenttime' ? now : undefined) };
  }

  private checkCaller(caller: Principal, arn: string, context: RequestConditions): void {
    if (caller.kind === 'root') {
      throw new TidemillError('AccessDenied', 'Roles may not be assumed by root accounts', {
        remedy: 'Create a user with the policy AliyunSTSAssumeRoleAccess and assume the role as that user.',
      });
    }
    this.options.access.check(caller, 'sts:AssumeRole', arn, context);
  }

  private trusting(account: string, name: string, caller: Trusted, context: RequestConditions): RoleRecord | undefined {
    const { directory } = this.options;
    if (directory.get('account', account, SELF)?.status !== 'active') return undefined;
    const role = directory.get('role', account, name);
    return role !== undefined && trusts(trustOf(role.trust), caller, context) ? role : undefined;
  }
}

function trustedOf(caller: Principal): Trusted {
  const arn = caller.kind === 'role' && caller.name !== undefined ? roleArn(caller.account, caller.name) : caller.arn;
  return { kind: 'ram', account: caller.account, arn };
}

/** The same for a role that is missing and one that does not trust the caller: strangers learn nothing. */
function notTrusted(caller: string, arn: string): TidemillError {
  return new TidemillError('AccessDenied', `The role ${arn} does not exist or does not trust ${caller}`, {
    remedy: 'Name the caller, or acs:ram::ACCOUNT:root of its account, as a Principal in the trust policy of the role.',
  });
}

/** Without spaces, so that it takes little room in the token. */
function checkedPolicy(policy: string | undefined): string | undefined {
  if (policy === undefined || policy === '') return undefined;
  checkLength('Policy', policy, LIMITS.sessionPolicyLength);
  documentOf(policy);
  return JSON.stringify(JSON.parse(policy));
}

function sessionArn(role: RoleRecord, session: string): string {
  return `acs:ram::${role.account}:assumed-role/${role.name.toLowerCase()}/${session}`;
}
