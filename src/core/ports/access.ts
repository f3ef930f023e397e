import type { Principal } from '../domain/credentials.ts';
import type { Decision, RequestConditions } from '../domain/policy/decision.ts';

/**
 * Who may do what. Actions and resources are Alibaba's: `fc:InvokeFunction` on `acs:fc:REGION:ACCOUNT:functions/NAME`.
 *
 * The root of an account may do everything with what belongs to the account, and so may nobody else with what belongs to
 * another one: across accounts only roles lead. Synchronous and remembered per principal object: it is on the warm path.
 * A change of policies is seen by the next call.
 */
export interface Access {
  /** Throws AccessDenied, naming action, resource and what denied, unless the decision is `allow`. */
  check(principal: Principal, action: string, resource: string, context?: RequestConditions): void;
  /** The same without the throw. */
  decide(principal: Principal, action: string, resource: string, context?: RequestConditions): Decision;
}
