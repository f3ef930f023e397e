import type { Clock } from '../../core/base/clock.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import type { RequestConditions } from '../../core/domain/policy/decision.ts';

/** The request's own keys, and those that every request has. */
export class AskedConditions implements RequestConditions {
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
  return principal.kind === 'role'
    ? `acs:ram::${principal.account}:role/${(principal.name ?? '').toLowerCase()}`
    : principal.arn;
}
