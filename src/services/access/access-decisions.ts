import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { Decision, RequestConditions } from '../../core/domain/policy/decision.ts';
import { evaluate } from '../../core/domain/policy/evaluate.ts';
import type { Access } from '../../core/ports/access.ts';
import type { PrincipalPolicies } from '../../core/ports/principal-policies.ts';

/** Decisions remembered for one principal; more are forgotten together. */
const REMEMBERED = 10_000;

/** See Access. */
export class AccessDecisions implements Access {
  private readonly policies: PrincipalPolicies;
  private remembered = new WeakMap<Principal, Remembered>();

  constructor(policies: PrincipalPolicies) {
    this.policies = policies;
    policies.onChange(() => {
      this.remembered = new WeakMap();
    });
  }

  check(principal: Principal, action: string, resource: string, context?: RequestConditions): void {
    const decision = this.decide(principal, action, resource, context);
    if (decision.effect !== 'allow') throw denied(principal, action, resource, decision);
  }

  decide(principal: Principal, action: string, resource: string, _context?: RequestConditions): Decision {
    let own = this.remembered.get(principal);
    if (own === undefined) this.remembered.set(principal, (own = new Remembered()));
    return own.of(action, resource) ?? own.keep(action, resource, this.decideAnew(principal, action, resource));
  }

  private decideAnew(principal: Principal, action: string, resource: string): Decision {
    if (accountOf(resource) !== principal.account) {
      return {
        effect: 'implicit-deny',
        reason: 'it belongs to another account, where only a role of that account leads',
      };
    }
    if (principal.kind === 'root') return { effect: 'allow', reason: 'it belongs to the account of the caller' };
    return evaluate(this.policies.policiesOf(principal), { action, resource });
  }
}

class Remembered {
  private readonly byAction = new Map<string, Map<string, Decision>>();
  private size = 0;

  of(action: string, resource: string): Decision | undefined {
    return this.byAction.get(action)?.get(resource);
  }

  keep(action: string, resource: string, decision: Decision): Decision {
    if (this.size >= REMEMBERED) {
      this.byAction.clear();
      this.size = 0;
    }
    let byResource = this.byAction.get(action);
    if (byResource === undefined) this.byAction.set(action, (byResource = new Map()));
    byResource.set(resource, decision);
    this.size++;
    return decision;
  }
}

/** The fourth part of `acs:SERVICE:REGION:ACCOUNT:...`. */
function accountOf(resource: string): string | undefined {
  return resource.split(':', 5)[3];
}

function denied(principal: Principal, action: string, resource: string, decision: Decision): TidemillError {
  return new TidemillError(
    'AccessDenied',
    `${principal.arn} is not authorized to perform ${action} on ${resource}: ${decision.reason}`,
    {
      remedy:
        decision.effect === 'explicit-deny'
          ? 'Use other credentials, or ask the owner of the account to change the policy that denies it.'
          : `Ask the owner of the account for a policy that allows ${action} on ${resource}.`,
    },
  );
}
