import type { Clock } from '../../core/base/clock.ts';
import { parseFunctionArn, roleOfArn } from '../../core/domain/arn.ts';
import { functionPrincipal, type Principal, rolePrincipal, rootPrincipal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { AttachedPolicy } from '../../core/domain/policy/document.ts';
import { consider, decideAmong } from '../../core/domain/policy/evaluate.ts';
import type { Identities } from '../../core/ports/identities.ts';
import type { PolicySimulation, SimulatedDecision, SimulatedRequest } from '../../core/ports/policy-simulation.ts';
import type { PrincipalPolicies } from '../../core/ports/principal-policies.ts';
import { AskedConditions } from './asked-conditions.ts';
import { readPolicy } from './policy-reading.ts';
import { standingOf } from './standing.ts';

interface SimulationOptions {
  readonly policies: PrincipalPolicies;
  readonly identities: Pick<Identities, 'getUser' | 'getRole'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** See PolicySimulation. The rules are those of AccessDecisions; nothing is remembered. */
export class Simulation implements PolicySimulation {
  private readonly options: SimulationOptions;

  constructor(options: SimulationOptions) {
    this.options = options;
  }

  simulate(account: string, request: SimulatedRequest): SimulatedDecision {
    const { action, resource } = request;
    if (request.policies.length > LIMITS.simulatedPolicies) {
      throw invalid(`there are ${request.policies.length} policies, at most ${LIMITS.simulatedPolicies} are allowed`);
    }
    const principal = this.principalOf(account, request.principal);
    const policies = this.policiesFor(principal, request);
    const keys = new Map(Object.entries(request.context).map(([key, value]) => [key.toLowerCase(), value]));
    const context = new AskedConditions(principal, this.options.clock, keys);
    const found = standingOf(principal, () => policies, action, resource);
    return {
      decision: 'effect' in found ? found : decideAmong(found, context),
      considered: principal.kind === 'root' ? [] : consider(policies, { action, resource, context }),
    };
  }

  private policiesFor(principal: Principal, request: SimulatedRequest): readonly AttachedPolicy[] {
    const own = request.principal === undefined ? [] : this.options.policies.policiesOf(principal);
    const given = request.policies.map(
      ({ name, document }): AttachedPolicy => ({ name, source: 'inline', document: readPolicy(document) }),
    );
    if (request.session === undefined) return [...own, ...given];
    return [...own, ...given, { name: 'session', source: 'session', document: readPolicy(request.session) }];
  }

  private principalOf(account: string, arn: string | undefined): Principal {
    if (arn === undefined) return { account, kind: 'user', arn: `acs:ram::${account}:user/-`, name: '-' };
    if (!arn.startsWith('acs:')) return this.principalOf(account, `acs:ram::${account}:${arn}`);
    const role = roleOfArn(arn);
    const [, owner = role?.account ?? parseFunctionArn(arn)?.account, user] =
      /^acs:ram::(\d+):(?:root|user\/([\w.@-]{1,64}))$/.exec(arn) ?? [];
    if (owner !== account)
      throw invalid(`'${arn.slice(0, 200)}' is not the ARN of a user, role, function or root of this account`);
    if (user !== undefined) {
      this.options.identities.getUser(account, user);
      return { account, kind: 'user', arn, name: user };
    }
    if (role !== undefined) {
      this.options.identities.getRole(account, role.name);
      return rolePrincipal(account, role.name, 'simulation');
    }
    return arn.startsWith('acs:fc:') ? functionPrincipal(account, arn) : rootPrincipal(account);
  }
}

function invalid(message: string): TidemillError {
  return new TidemillError('InvalidArgument', message);
}
