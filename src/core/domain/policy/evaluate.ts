import { type Condition, holds } from './condition.ts';
import type { Considered, DecidedBy, Decision, PolicyRequest, RequestConditions } from './decision.ts';
import type { AttachedPolicy, PatternList, Statement } from './document.ts';

/** A statement whose action and resource match a request: only its conditions are open. */
export interface Candidate {
  readonly by: DecidedBy;
  readonly statement: Statement;
}

/** What `decideAmong` needs; it depends on action and resource alone and may be kept for the next request. */
export interface Candidates {
  readonly denies: readonly Candidate[];
  readonly allows: readonly Candidate[];
  /** Session policies that allow; undefined: no session policy is there. */
  readonly sessionAllows: readonly Candidate[] | undefined;
  /** Whether a condition has to be looked at; otherwise every request gets the same decision. */
  readonly conditional: boolean;
}

/** The statements about an action on a resource. */
export function candidatesFor(policies: readonly AttachedPolicy[], action: string, resource: string): Candidates {
  const denies: Candidate[] = [];
  const allows: Candidate[] = [];
  let sessionAllows: Candidate[] | undefined;
  let conditional = false;
  for (const policy of policies) {
    const isSession = policy.source === 'session';
    if (isSession) sessionAllows ??= [];
    for (const [index, statement] of policy.document.statements.entries()) {
      if (!covers(statement.actions, action) || !covers(statement.resources, resource)) continue;
      const candidate = { by: placeOf(policy, index), statement };
      conditional ||= statement.conditions.length > 0;
      if (statement.effect === 'Deny') denies.push(candidate);
      else (isSession ? (sessionAllows ??= []) : allows).push(candidate);
    }
  }
  return { denies, allows, sessionAllows, conditional };
}

/**
 * RAM's rule: a matching Deny wins over everything; without a matching Allow the answer is no. Session policies do not
 * add, they narrow: where there are some, one of them has to allow as well.
 */
export function decideAmong(candidates: Candidates, context: RequestConditions): Decision {
  const matching = (all: readonly Candidate[]): DecidedBy | undefined =>
    all.find(({ statement }) => unmet(statement, context) === undefined)?.by;
  const denied = matching(candidates.denies);
  if (denied !== undefined) {
    return { effect: 'explicit-deny', by: denied, reason: `${told(denied)} denies it explicitly` };
  }
  const granted = matching(candidates.allows);
  if (granted === undefined) return { effect: 'implicit-deny', reason: 'no policy allows it' };
  if (candidates.sessionAllows !== undefined && matching(candidates.sessionAllows) === undefined) {
    return { effect: 'implicit-deny', reason: `${told(granted)} allows it, but the session policy does not` };
  }
  return { effect: 'allow', by: granted, reason: `${told(granted)} allows it` };
}

/** The decision about one request. */
export function evaluate(policies: readonly AttachedPolicy[], request: PolicyRequest): Decision {
  return decideAmong(candidatesFor(policies, request.action, request.resource), request.context);
}

/** Every statement with what kept it from matching, in the order of policies and statements. */
export function consider(policies: readonly AttachedPolicy[], request: PolicyRequest): readonly Considered[] {
  return policies.flatMap((policy) =>
    policy.document.statements.map((statement, index): Considered => {
      const mismatch = mismatchOf(statement, request);
      const place = { ...placeOf(policy, index), statementEffect: statement.effect };
      return mismatch === undefined ? place : { ...place, mismatch };
    }),
  );
}

function mismatchOf(statement: Statement, { action, resource, context }: PolicyRequest): string | undefined {
  const outside = (list: PatternList, what: string, text: string): string | undefined => {
    if (covers(list, text)) return undefined;
    return list.except ? `Not${what} excludes ${text}` : `${what} does not cover ${text}`;
  };
  const open = unmet(statement, context);
  return (
    outside(statement.actions, 'Action', action) ??
    outside(statement.resources, 'Resource', resource) ??
    (open === undefined ? undefined : unmetText(open, context))
  );
}

function unmetText({ operator, key, values }: Condition, context: RequestConditions): string {
  const actual = context.get(key.toLowerCase());
  const has = actual === undefined ? 'the request has no such key' : `the request has ${JSON.stringify(actual)}`;
  return `Condition ${operator} of ${key} with ${JSON.stringify(values)} is not met: ${has}`;
}

/** The first condition that does not hold. */
function unmet(statement: Statement, context: RequestConditions): Condition | undefined {
  return statement.conditions.find(
    (condition) => !holds(condition, context.get(condition.key.toLowerCase()), statement.effect),
  );
}

function covers(list: PatternList, text: string): boolean {
  return list.patterns.some((pattern) => pattern.matches(text)) !== list.except;
}

function placeOf(policy: AttachedPolicy, index: number): DecidedBy {
  return { policy: policy.name, source: policy.source, statement: index + 1 };
}

function told(by: DecidedBy): string {
  return `statement ${by.statement} of the ${by.source} policy ${by.policy}`;
}
