import type { Principal, TemporaryCredentials } from '../domain/credentials.ts';

/** What a door needs to verify a signature: the secret behind an access key id, and who that is. */
export interface KnownKey {
  readonly secret: string;
  readonly principal: Principal;
}

export interface Identity {
  /**
   * The key behind an access key id; temporary keys need their `securityToken`. Undefined: unknown id, or a token that is
   * forged or past its expiry. Synchronous: it is on the warm path.
   */
  findKey(accessKeyId: string, securityToken: string | undefined): KnownKey | undefined;
  /** Short-lived credentials for the instances of one function; the same function gets the same ones until they near expiry. */
  credentialsFor(account: string, functionArn: string): TemporaryCredentials;
}
