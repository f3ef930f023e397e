import type { Clock } from '../../core/base/clock.ts';
import type { Logger } from '../../core/base/log.ts';
import type { Random } from '../../core/base/random.ts';
import type { AccountQuotas } from '../../core/domain/quota.ts';
import type { Access } from '../../core/ports/access.ts';
import type { AccountStates, Accounts, Quotas } from '../../core/ports/accounts.ts';
import type { Identities } from '../../core/ports/identities.ts';
import type { Identity } from '../../core/ports/identity.ts';
import type { MetadataStore } from '../../core/ports/metadata-store.ts';
import type { PolicySimulation } from '../../core/ports/policy-simulation.ts';
import type { PrincipalPolicies } from '../../core/ports/principal-policies.ts';
import type { RoleTrust } from '../../core/ports/role-trust.ts';
import type { RoleSessions } from '../../core/ports/role-sessions.ts';
import { AccessDecisions } from './access-decisions.ts';
import { AccessIdentity, type RootKey } from './access-identity.ts';
import { AccessKeys } from './access-keys.ts';
import { AccountDirectory } from './account-directory.ts';
import { Attachments } from './attachments.ts';
import { Directory } from './directory.ts';
import { DirectoryPolicies } from './directory-policies.ts';
import { Groups } from './groups.ts';
import { toIdentities } from './identity-directory.ts';
import { LastUsed } from './last-used.ts';
import { Policies } from './policies.ts';
import { RoleAssumptions } from './role-sessions.ts';
import { Roles } from './roles.ts';
import { masterSecretBox } from './secret-box.ts';
import { Simulation } from './simulation.ts';
import { TemporaryKeys } from './temporary-keys.ts';
import { Users } from './users.ts';

export interface AccessOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly rootKey: RootKey;
  /** At least 32 bytes, the same over restarts: temporary credentials are derived from it, secrets of keys sealed with it. */
  readonly masterSecret: Uint8Array;
  /** What an account may use that has no numbers of its own. */
  readonly standardQuotas: AccountQuotas;
  /** What an account still owns outside this service, in words: it is not deleted before that is empty. */
  readonly contents: (account: string) => Promise<readonly string[]>;
}

export interface AccessService {
  readonly access: Access;
  readonly policies: PrincipalPolicies;
  readonly identity: Identity;
  readonly identities: Identities;
  readonly roleSessions: RoleSessions;
  readonly accounts: Accounts;
  readonly quotas: Quotas;
  readonly states: AccountStates;
  readonly roles: RoleTrust;
  readonly simulation: PolicySimulation;
  /** Writes what is not written yet and ends the watch. The store stays open. */
  close(): Promise<void>;
}

/** Builds accounts, identities and decisions over the metadata store. Resolves when everything is in memory. */
export async function createAccess(options: AccessOptions): Promise<AccessService> {
  const { store, clock, random, logger, rootKey, masterSecret } = options;
  const directory = await Directory.open(store);
  const onError = (error: unknown): void =>
    logger.log('warn', 'the last use of keys could not be written', { error: String(error) });
  const lastUsed = await LastUsed.open({ store, clock, onError });
  const temporary = new TemporaryKeys({ directory, masterSecret, clock, random });
  const principalPolicies = new DirectoryPolicies(directory, temporary);
  const access = new AccessDecisions(principalPolicies, clock);
  const keys = new AccessKeys({ directory, secrets: masterSecretBox(masterSecret, random), clock, random });
  const roleSessions = new RoleAssumptions({ directory, keys: temporary, access, clock });
  const policies = new Policies({ directory, clock });
  const accounts = new AccountDirectory({
    directory,
    keys,
    clock,
    random,
    firstAccount: rootKey.account,
    standard: options.standardQuotas,
    forgetKey: (accessKeyId) => lastUsed.forget(accessKeyId),
    contents: options.contents,
  });
  await accounts.begin();
  const identities = toIdentities({
    directory,
    users: new Users({ directory, clock, random }),
    keys,
    groups: new Groups({ directory, clock, random }),
    roles: new Roles({ directory, clock, random }),
    policies,
    attachments: new Attachments(directory, policies, clock),
    lastUsed,
  });
  return {
    access,
    policies: principalPolicies,
    identity: new AccessIdentity({ rootKey, keys, temporary, roles: roleSessions, lastUsed }),
    identities,
    simulation: new Simulation({ policies: principalPolicies, identities, clock }),
    roleSessions,
    accounts,
    quotas: accounts,
    states: accounts,
    roles: roleSessions,
    async close() {
      directory.dispose();
      await lastUsed.close();
    },
  };
}
