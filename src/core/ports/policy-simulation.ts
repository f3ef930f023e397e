import type { Considered, Decision } from '../domain/policy/decision.ts';

/** A question about rights, for somebody or for policies at hand. */
export interface SimulatedRequest {
  /**
   * ARN of a user, role or root of the account, or the end of it (`user/NAME`); or of a function: then the default of functions
   * without a role. Undefined: nobody, who has only `policies`.
   */
  readonly principal: string | undefined;
  /** Documents that act besides those of the principal, or alone. */
  readonly policies: readonly { readonly name: string; readonly document: string }[];
  /** A session policy that narrows them. */
  readonly session: string | undefined;
  readonly action: string;
  readonly resource: string;
  /** Keys and values of the request, as a condition names them. */
  readonly context: Readonly<Record<string, string>>;
}

export interface SimulatedDecision {
  readonly decision: Decision;
  /** Every statement that was looked at, with what kept it from matching. */
  readonly considered: readonly Considered[];
}

/** Says what a decision would be and why, without anything being done. */
export interface PolicySimulation {
  /** Throws MalformedPolicyDocument, InvalidArgument, EntityNotExist.User or EntityNotExist.Role. Time is now unless the context says otherwise. */
  simulate(account: string, request: SimulatedRequest): SimulatedDecision;
}
