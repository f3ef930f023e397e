import type { Principal } from '../../core/domain/credentials.ts';
import type { AttachedPolicy } from '../../core/domain/policy/document.ts';
import type { PrincipalPolicies } from '../../core/ports/principal-policies.ts';
import { DEFAULT_OF_FUNCTIONS } from './builtin-policies.ts';

/** Policies of an installation that has no users and roles: functions have their default, nobody else has any. */
export class BuiltinPrincipalPolicies implements PrincipalPolicies {
  policiesOf(principal: Principal): readonly AttachedPolicy[] {
    return principal.kind === 'function' ? [DEFAULT_OF_FUNCTIONS] : [];
  }

  onChange(): { dispose(): void } {
    return { dispose() {} };
  }
}
