import type { Clock } from '../../core/base/clock.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { type Decision, NO_CONDITIONS, type RequestConditions } from '../../core/domain/policy/decision.ts';
import { type Candidates, decideAmong } from '../../core/domain/policy/evaluate.ts';
import type { Access } from '../../core/ports/access.ts';
import type { PrincipalPolicies } from '../../core/ports/principal-policies.ts';
import { AskedConditions } from './asked-conditions.ts';
import { standingOf } from './standing.ts';

/** Actions with resources remembered for one principal; more are forgotten together. */
const REMEMBERED = 10_000;

/** See Access. */
export class AccessDecisions implements Access {
  private readonly policies: PrincipalPolicies;
  private readonly clock: Pick<Clock, 'now'>;
  private remembered = new WeakMap<Principal, Remembered>();

  constructor(policies: PrincipalPolicies, clock: Pick<Clock, 'now'>) {
    this.policies = policies;
    this.clock = clock;
    policies.onChange(() => {
      this.remembered = new WeakMap();
    });
  }

  check(principal: Principal, action: string, resource: string, context?: RequestConditions): void {
    const decision = this.decide(principal, action, resource, context);
    if (decision.effect !== 'allow') throw denied(principal, action, resource, decision);
  }

  decide(principal: Principal, action: string, resource: string, context?: RequestConditions): Decision {
    let own = this.remembered.get(principal);
    if (own === undefined) this.remembered.set(principal, (own = new Remembered()));
    const known = own.of(action, resource) ?? own.keep(action, resource, this.lookAt(principal, action, resource));
    if ('effect' in known) return known;
    return decideAmong(known, new AskedConditions(principal, this.clock, context ?? NO_CONDITIONS));
  }

  private lookAt(principal: Principal, action: string, resource: string): Decision | Candidates {
    return standingOf(principal, () => this.policies.policiesOf(principal), action, resource);
  }
}

class Remembered {
  private readonly byAction = new Map<string, Map<string, Decision | Candidates>>();
  private size = 0;

  of(action: string, resource: string): Decision | Candidates | undefined {
    return this.byAction.get(action)?.get(resource);
  }

  keep(action: string, resource: string, found: Decision | Candidates): Decision | Candidates {
    if (this.size >= REMEMBERED) {
      this.byAction.clear();
      this.size = 0;
    }
    let byResource = this.byAction.get(action);
    if (byResource === undefined) this.byAction.set(action, (byResource = new Map()));
    byResource.set(resource, found);
    this.size++;
    return found;
  }
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
