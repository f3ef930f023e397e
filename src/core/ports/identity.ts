import type { Principal, TemporaryCredentials } from '../domain/credentials.ts';

/** What a door needs to verify a signature: the secret behind an access key id, and who that is. */
export interface KnownKey {
  readonly secret: string;
  readonly principal: Principal;
}

export interface Identity {
  /**
   * The key behind an access key id; temporary keys need their `securityToken`. Undefined: unknown or disabled id, or a token that is
   * forged, past its expiry, or whose role or account is gone. Synchronous: it is on the warm path.
   */
  findKey(accessKeyId: string, securityToken: string | undefined): KnownKey | undefined;
  /** A signature made with the key that `findKey` gave this principal for was found right. */
  noteUse(principal: Principal): void;
  /**
   * Short-lived credentials for the instances of one function, of its role if it has one; the same function gets the same ones until
   * they near expiry or its role changes. Throws AccessDenied when the role is gone or does not trust functions.
   */
  credentialsFor(account: string, functionArn: string, role?: string): TemporaryCredentials;
}
