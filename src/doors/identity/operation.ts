import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import type { RequestConditions } from '../../core/domain/policy/decision.ts';
import type { Access } from '../../core/ports/access.ts';
import type { Identities } from '../../core/ports/identities.ts';
import type { RoleSessions } from '../../core/ports/role-sessions.ts';
import type { Acs3Verifier } from '../wire/acs3-verifier.ts';
import type { ControlRate } from '../wire/control-rate.ts';
import type { Parameters } from './parameters.ts';

/** What the identity door needs from the rest of the house. */
export interface IdentityDoorDeps {
  readonly identities: Identities;
  readonly roleSessions: RoleSessions;
  readonly access: Access;
  readonly verifier: Acs3Verifier;
  readonly rate: ControlRate;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** One request, its signature verified. */
export interface RpcCall {
  readonly identities: Identities;
  readonly roleSessions: RoleSessions;
  readonly principal: Principal;
  readonly account: string;
  readonly parameters: Parameters;
  readonly conditions: RequestConditions;
}

/** One operation of RAM or STS. */
export interface RpcOperation {
  /** The vendor's name, which is also the name of the action that policies allow. */
  readonly name: string;
  /** Parameters it takes; any other is refused by name. */
  readonly parameters: readonly string[];
  /** ARN that the caller must be allowed the action on; undefined: whoever has a key may call it. */
  readonly resource: ((call: RpcCall) => string) | undefined;
  /** The members of the answer besides RequestId. */
  run(call: RpcCall): Promise<Readonly<Record<string, unknown>>> | Readonly<Record<string, unknown>>;
}
