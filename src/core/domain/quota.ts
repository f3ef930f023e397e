import { LIMITS } from './limits.ts';

/** What an account may use. The standard is the limits table; the operator may set other numbers for one account. */
export interface AccountQuotas {
  /** Functions. */
  readonly functions: number;
  /** Bytes of the code packages that functions, versions and layers refer to, each package counted once. */
  readonly codeBytes: number;
  /** Calls in flight. */
  readonly calls: number;
  /** Instances running and starting. */
  readonly instances: number;
  /** Memory of these instances, MB. */
  readonly memoryMb: number;
  /** Objects in buckets. */
  readonly objects: number;
  /** Bytes of objects and of parts of uploads under way. */
  readonly objectBytes: number;
  /** Requests a second that are no invocation and no object access: a bucket of ten seconds' worth evens out bursts. */
  readonly requestsPerSecond: number;
}

export type QuotaName = keyof AccountQuotas;

export const STANDARD_QUOTAS: AccountQuotas = {
  functions: LIMITS.functionsPerAccount,
  codeBytes: LIMITS.codeBytesPerAccount,
  calls: LIMITS.callsPerAccount,
  instances: LIMITS.instancesPerAccount,
  memoryMb: LIMITS.memoryMbPerAccount,
  objects: LIMITS.objectsPerAccount,
  objectBytes: LIMITS.objectBytesPerAccount,
  requestsPerSecond: LIMITS.requestsPerSecondPerAccount,
};

export const QUOTA_NAMES = Object.keys(STANDARD_QUOTAS) as readonly QuotaName[];

export function isQuotaName(name: string): name is QuotaName {
  return Object.hasOwn(STANDARD_QUOTAS, name);
}
