/** Temporary credentials in the shape every function receives (FC reference 4.1). */
export interface TemporaryCredentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * Who makes a call, once a signature has been verified. The same key gives the same object from call to call, as long as
 * it is known: decisions are remembered by it.
 */
export interface Principal {
  readonly account: string;
  /**
   * `root`: the account itself. `user`: a RAM user. `role`: somebody who assumed a role, a function with an execution
   * role included. `function`: an instance of a function that has no role.
   */
  readonly kind: 'root' | 'user' | 'role' | 'function';
  /**
   * `acs:ram::ACCOUNT:root`, `acs:ram::ACCOUNT:user/NAME`, `acs:ram::ACCOUNT:assumed-role/ROLE/SESSION`; of a function
   * without a role its own ARN.
   */
  readonly arn: string;
  /** Of the user or the role. */
  readonly name?: string;
  /** Of the session of an assumed role. */
  readonly sessionName?: string;
  /** The ARN of the function whose instance holds the credentials, with a role or without. */
  readonly functionArn?: string;
}

/** The owner of an account, who may do everything in it. */
export function rootPrincipal(account: string): Principal {
  return { account, kind: 'root', arn: `acs:ram::${account}:root` };
}

/** An instance of a function that has no execution role. */
export function functionPrincipal(account: string, functionArn: string): Principal {
  return { account, kind: 'function', arn: functionArn, functionArn };
}

/** Somebody who acts as a role. */
export function rolePrincipal(account: string, name: string, sessionName: string, functionArn?: string): Principal {
  const arn = `acs:ram::${account}:assumed-role/${name.toLowerCase()}/${sessionName}`;
  return { account, kind: 'role', arn, name, sessionName, ...(functionArn === undefined ? {} : { functionArn }) };
}
