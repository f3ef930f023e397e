import type { ReservedConfigRecord } from '../domain/reserved-config.ts';

/** Where the configs of reserved instances are kept, for the part that keeps the instances. Changes show in Catalog.onFunction. */
export interface ReservedConfigs {
  /** The configs of one function, in order of their qualifiers. */
  of(account: string, functionName: string): Promise<readonly ReservedConfigRecord[]>;
  /** Functions that have any. */
  owners(): Promise<readonly { readonly account: string; readonly functionName: string }[]>;
}

export interface ReservedStatus {
  /** Instances wanted now, policies included. */
  readonly target: number;
  /** Reserved instances that can take calls now. */
  readonly current: number;
  /** Why `current` is below `target`; empty while nothing is known to be in the way. */
  readonly error: string;
}

/** How the reserved instances of a config stand. */
export interface ReservedInstances {
  status(config: ReservedConfigRecord): ReservedStatus;
}
