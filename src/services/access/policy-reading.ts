import type { PolicyDocument, TrustPolicy } from '../../core/domain/policy/document.ts';
import { parsePolicy, parseTrustPolicy } from '../../core/domain/policy/parse.ts';
import { readAddressRange } from './address-ranges.ts';

/** Reads a permission policy; see parsePolicy. */
export function readPolicy(text: string, maxChars?: number): PolicyDocument {
  return parsePolicy(text, { addresses: readAddressRange, ...(maxChars === undefined ? {} : { maxChars }) });
}

/** Reads the trust policy of a role; see parseTrustPolicy. */
export function readTrustPolicy(text: string, maxChars?: number): TrustPolicy {
  return parseTrustPolicy(text, { addresses: readAddressRange, ...(maxChars === undefined ? {} : { maxChars }) });
}
