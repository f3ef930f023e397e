/** Temporary credentials in the shape every function receives (FC reference 4.1). */
export interface TemporaryCredentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Who makes a call, once a signature has been verified. */
export interface Principal {
  readonly account: string;
  /** `root` for the account's own key, `function` for the credentials an instance holds. */
  readonly kind: 'root' | 'function';
  /** The ARN of the function whose instance holds the credentials. */
  readonly functionArn?: string;
}
