import type { Condition } from './condition.ts';
import type { Pattern } from './pattern.ts';

/** `Action` or `NotAction`, `Resource` or `NotResource`: the patterns, and whether they name the exceptions. */
export interface PatternList {
  readonly except: boolean;
  readonly patterns: readonly Pattern[];
}

/** One statement of a permission policy. Statements have no order: their number is only for explanations. */
export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: PatternList;
  readonly resources: PatternList;
  readonly conditions: readonly Condition[];
}

/** A permission policy in Alibaba's RAM language, Version 1, read and checked. Made by `parsePolicy`. */
export interface PolicyDocument {
  readonly statements: readonly Statement[];
}

/** A policy as it acts on a principal. */
export interface AttachedPolicy {
  readonly name: string;
  /**
   * `system` comes with the platform, `custom` belongs to the account, `inline` to the simulation or test at hand, `builtin`
   * is what a kind of principal has without being given it. `session` narrows: what a session policy does not allow is not
   * allowed, whatever the others say.
   */
  readonly source: 'inline' | 'system' | 'custom' | 'session' | 'builtin';
  readonly document: PolicyDocument;
}

/** One statement of a trust policy: who may assume the role. */
export interface TrustStatement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: PatternList;
  /** ARNs of accounts (`acs:ram::ACCOUNT:root`), users and roles. */
  readonly ram: readonly string[];
  /** Host names of services, such as `fc.aliyuncs.com`. */
  readonly services: readonly string[];
  readonly conditions: readonly Condition[];
}

/** The trust policy of a role, read and checked. Made by `parseTrustPolicy`. */
export interface TrustPolicy {
  readonly statements: readonly TrustStatement[];
}
