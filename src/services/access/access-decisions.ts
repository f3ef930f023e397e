import type { Clock } from '../../core/base/clock.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { type Decision, NO_CONDITIONS, type RequestConditions } from '../../core/domain/policy/decision.ts';
import { type Candidates, candidatesFor, decideAmong } from '../../core/domain/policy/evaluate.ts';
import { accountOf } from '../../core/domain/policy/resource.ts';
import type { Access } from '../../core/ports/access.ts';
import type { PrincipalPolicies } from '../../core/ports/principal-policies.ts';

/** Actions with resources remembered for one principal; more are forgotten together. */
const REMEMBERED = 10_000;

/** Actions on what may belong to another account, where the other side has its own say. */
const ACROSS_ACCOUNTS: ReadonlySet<string> = new Set(['sts:AssumeRole']);

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

  /** The decision, or what is left to decide with each request because conditions are in play. */
  private lookAt(principal: Principal, action: string, resource: string): Decision | Candidates {
    const isForeign = accountOf(resource) !== principal.account && !ACROSS_ACCOUNTS.has(action);
    if (principal.kind === 'root') return isForeign ? BELONGS_TO_ANOTHER : OWN;
    const candidates = candidatesFor(this.policies.policiesOf(principal), action, resource);
    if (isForeign) {
      // what is open to everybody there may still be denied to this one here
      return candidates.denies.length === 0 ? BELONGS_TO_ANOTHER : { ...candidates, allows: [] };
    }
    return candidates.conditional ? candidates : decideAmong(candidates, NO_CONDITIONS);
  }
}

const OWN: Decision = { effect: 'allow', reason: 'it belongs to the account of the caller' };
const BELONGS_TO_ANOTHER: Decision = {
  effect: 'implicit-deny',
  reason: 'it belongs to another account, where only a role of that account leads',
};

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

/** The request's own keys, and those that every request has. */
class AskedConditions implements RequestConditions {
  private readonly principal: Principal;
  private readonly clock: Pick<Clock, 'now'>;
  private readonly context: RequestConditions;

  constructor(principal: Principal, clock: Pick<Clock, 'now'>, context: RequestConditions) {
    this.principal = principal;
    this.clock = clock;
    this.context = context;
  }

  get(key: string): string | readonly string[] | undefined {
    switch (key) {
      case 'acs:currenttime':
        return this.context.get(key) ?? new Date(this.clock.now()).toISOString();
      case 'acs:principalarn':
        return identityArn(this.principal);
      case 'acs:mfapresent':
        return 'false'; // no key here is given out against a second factor
      default:
        return this.context.get(key);
    }
  }
}

/** Who somebody is apart from the session: what trust policies and `acs:PrincipalARN` name. */
export function identityArn(principal: Principal): string {
  return principal.kind === 'role' ? `acs:ram::${principal.account}:role/${principal.name ?? ''}` : principal.arn;
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
