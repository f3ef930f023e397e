import { holds } from './condition.ts';
import type { RequestConditions } from './decision.ts';
import type { TrustPolicy, TrustStatement } from './document.ts';

/** Who asks for a role: somebody of RAM, by ARN, or a service. */
export type Trusted =
  | {
      readonly kind: 'ram';
      readonly account: string;
      /** Of the user, the root, or the role behind a session: `acs:ram::ACCOUNT:role/NAME`. */
      readonly arn: string;
    }
  | { readonly kind: 'service'; readonly service: string };

/**
 * Whether a role trusts somebody with `sts:AssumeRole`. Trusting `acs:ram::ACCOUNT:root` trusts everybody in that account. A Deny
 * that names somebody wins.
 */
export function trusts(policy: TrustPolicy, who: Trusted, context: RequestConditions): boolean {
  const matching = policy.statements.filter((statement) => names(statement, who) && applies(statement, context));
  return (
    matching.some((statement) => statement.effect === 'Allow') &&
    !matching.some((statement) => statement.effect === 'Deny')
  );
}

function names(statement: TrustStatement, who: Trusted): boolean {
  if (who.kind === 'service') return statement.services.includes(who.service);
  return statement.ram.includes(who.arn) || statement.ram.includes(`acs:ram::${who.account}:root`);
}

function applies({ actions, conditions, effect }: TrustStatement, context: RequestConditions): boolean {
  return (
    actions.patterns.some((pattern) => pattern.matches('sts:AssumeRole')) !== actions.except &&
    conditions.every((condition) => holds(condition, context.get(condition.key.toLowerCase()), effect))
  );
}
