import type { TemporaryCredentials } from '../../core/domain/credentials.ts';
import { type Principal, rootPrincipal } from '../../core/domain/credentials.ts';
import type { Identity, KnownKey } from '../../core/ports/identity.ts';
import type { AccessKeys } from './access-keys.ts';
import type { LastUsed } from './last-used.ts';
import type { RoleAssumptions } from './role-sessions.ts';
import type { TemporaryKeys } from './temporary-keys.ts';

/** The key that an installation is born with: of the first account's root, who is the operator. */
export interface RootKey {
  readonly account: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
}

interface IdentityParts {
  readonly rootKey: RootKey;
  readonly keys: AccessKeys;
  readonly temporary: TemporaryKeys;
  readonly roles: RoleAssumptions;
  readonly lastUsed: LastUsed;
}

/** Every key there is: the installation's own, those of roots and users, and temporary ones. */
export class AccessIdentity implements Identity {
  private readonly parts: IdentityParts;
  private readonly root: KnownKey;
  /** Id of the long-lived key that a principal signs with. */
  private readonly signers = new WeakMap<Principal, string>();

  constructor(parts: IdentityParts) {
    this.parts = parts;
    const { account, accessKeyId, accessKeySecret } = parts.rootKey;
    this.root = { secret: accessKeySecret, principal: rootPrincipal(account) };
    this.signers.set(this.root.principal, accessKeyId);
  }

  findKey(accessKeyId: string, securityToken: string | undefined): KnownKey | undefined {
    if (securityToken !== undefined && securityToken !== '') {
      return this.parts.temporary.find(accessKeyId, securityToken);
    }
    if (accessKeyId === this.parts.rootKey.accessKeyId) return this.root;
    const key = this.parts.keys.find(accessKeyId);
    if (key !== undefined) this.signers.set(key.principal, accessKeyId);
    return key;
  }

  noteUse(principal: Principal): void {
    if (principal.kind === 'role' || principal.kind === 'function') return;
    const accessKeyId = this.signers.get(principal);
    if (accessKeyId !== undefined) this.parts.lastUsed.note(accessKeyId);
  }

  credentialsFor(account: string, functionArn: string, role?: string): TemporaryCredentials {
    return this.parts.roles.ofFunction(account, functionArn, role);
  }
}
