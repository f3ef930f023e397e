import type { Decision, DecidedBy } from './decision.ts';
import type { AttachedPolicy, PatternList, Statement } from './document.ts';

export interface PolicyRequest {
  readonly action: string;
  readonly resource: string;
}

/**
 * RAM's rule: a matching Deny wins over everything; without a matching Allow the answer is no. Session policies do not
 * add, they narrow: where there are some, one of them has to allow as well.
 */
export function evaluate(policies: readonly AttachedPolicy[], request: PolicyRequest): Decision {
  let granted: DecidedBy | undefined;
  let grantedBySession: DecidedBy | undefined;
  let hasSession = false;
  for (const policy of policies) {
    const isSession = policy.source === 'session';
    hasSession ||= isSession;
    for (const [index, statement] of policy.document.statements.entries()) {
      if (!applies(statement, request)) continue;
      const by = { policy: policy.name, source: policy.source, statement: index + 1 };
      if (statement.effect === 'Deny') {
        return { effect: 'explicit-deny', by, reason: `${told(by)} denies it explicitly` };
      }
      if (isSession) grantedBySession ??= by;
      else granted ??= by;
    }
  }
  if (granted === undefined) return { effect: 'implicit-deny', reason: 'no policy allows it' };
  if (hasSession && grantedBySession === undefined) {
    return { effect: 'implicit-deny', reason: `${told(granted)} allows it, but the session policy does not` };
  }
  return { effect: 'allow', by: granted, reason: `${told(granted)} allows it` };
}

function told(by: DecidedBy): string {
  return `statement ${by.statement} of the ${by.source} policy ${by.policy}`;
}

function applies(statement: Statement, request: PolicyRequest): boolean {
  return covers(statement.actions, request.action) && covers(statement.resources, request.resource);
}

function covers(list: PatternList, text: string): boolean {
  return list.patterns.some((pattern) => pattern.matches(text)) !== list.except;
}
