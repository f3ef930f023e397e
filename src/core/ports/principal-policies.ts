import type { Disposable } from '../base/disposable.ts';
import type { Principal } from '../domain/credentials.ts';
import type { AttachedPolicy } from '../domain/policy/document.ts';

/** Which policies act on whom. */
export interface PrincipalPolicies {
  /**
   * All of them: attached to a user, to its groups, to a role, those of a session. Synchronous: what it needs is in memory. A
   * principal that exists no longer has none. Not asked for root principals, which need no policy.
   */
  policiesOf(principal: Principal): readonly AttachedPolicy[];
  /** Told after any change that may have changed an answer. */
  onChange(listener: () => void): Disposable;
}
