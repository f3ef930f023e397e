import type { Disposable } from '../../core/base/disposable.ts';
import type { Principal } from '../../core/domain/credentials.ts';
import type { AttachmentRecord } from '../../core/domain/identities.ts';
import type { AttachedPolicy } from '../../core/domain/policy/document.ts';
import type { PrincipalPolicies } from '../../core/ports/principal-policies.ts';
import { DEFAULT_OF_FUNCTIONS } from './builtin-policies.ts';
import type { Directory } from './directory.ts';
import { documentOf } from './policy-documents.ts';
import { systemPolicy } from './system-policies.ts';
import type { TemporaryKeys } from './temporary-keys.ts';

/** Policies of users (their groups' included), of roles with their sessions', and of functions without a role. */
export class DirectoryPolicies implements PrincipalPolicies {
  private readonly directory: Directory;
  private readonly sessions: Pick<TemporaryKeys, 'sessionOf'>;

  constructor(directory: Directory, sessions: Pick<TemporaryKeys, 'sessionOf'>) {
    this.directory = directory;
    this.sessions = sessions;
  }

  policiesOf(principal: Principal): readonly AttachedPolicy[] {
    switch (principal.kind) {
      case 'root':
        return [];
      case 'function':
        return [DEFAULT_OF_FUNCTIONS];
      case 'user':
        return this.ofUser(principal.account, principal.name ?? '');
      case 'role':
        return this.ofSession(principal);
    }
  }

  onChange(listener: () => void): Disposable {
    return this.directory.onChange(listener);
  }

  private ofUser(account: string, name: string): readonly AttachedPolicy[] {
    const user = this.directory.get('user', account, name);
    if (user === undefined) return [];
    const ofGroups = user.groups.flatMap((group) => this.directory.get('group', account, group.name)?.policies ?? []);
    return this.documents(account, [...user.policies, ...ofGroups]);
  }

  private ofSession(principal: Principal): readonly AttachedPolicy[] {
    const session = this.sessions.sessionOf(principal);
    // Without a session it is the role itself that is asked about: as a trigger's, or in a simulation.
    const role = session?.role.value ?? this.directory.get('role', principal.account, principal.name ?? '');
    if (role === undefined || (session !== undefined && role.roleId !== session.roleId)) return [];
    const own = this.documents(principal.account, role.policies);
    return session?.policy === undefined ? own : [...own, session.policy];
  }

  private documents(account: string, attached: readonly AttachmentRecord[]): readonly AttachedPolicy[] {
    return attached.flatMap(({ type, name }): readonly AttachedPolicy[] => {
      if (type === 'System') {
        const policy = systemPolicy(name);
        return policy === undefined ? [] : [{ name, source: 'system', document: documentOf(policy.document) }];
      }
      const policy = this.directory.get('policy', account, name);
      const version = policy?.versions.find(({ versionId }) => versionId === policy.defaultVersion);
      return version === undefined ? [] : [{ name, source: 'custom', document: documentOf(version.document) }];
    });
  }
}
