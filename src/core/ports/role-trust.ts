import type { TrustPolicy } from '../domain/policy/document.ts';

/** Whom roles trust. Synchronous: what it needs is in memory. */
export interface RoleTrust {
  /** The trust policy of a role; undefined: there is no such role. */
  trustOf(account: string, roleName: string): TrustPolicy | undefined;
}
