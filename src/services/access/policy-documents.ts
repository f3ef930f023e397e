import { LRUCache } from 'lru-cache';
import type { PolicyDocument, TrustPolicy } from '../../core/domain/policy/document.ts';
import { readPolicy, readTrustPolicy } from './policy-reading.ts';

const REMEMBERED = 5_000;
const documents = new LRUCache<string, PolicyDocument>({ max: REMEMBERED });
const trusts = new LRUCache<string, TrustPolicy>({ max: REMEMBERED });

/** The permission policy in a text, read once. Throws MalformedPolicyDocument. */
export function documentOf(text: string): PolicyDocument {
  let document = documents.get(text);
  if (document === undefined) documents.set(text, (document = readPolicy(text)));
  return document;
}

/** The trust policy in a text, read once; ARNs of roles in lower case, as callers are named. Throws MalformedPolicyDocument. */
export function trustOf(text: string): TrustPolicy {
  let trust = trusts.get(text);
  if (trust === undefined) {
    trust = readTrustPolicy(inLowerCaseRoles(text));
    trusts.set(text, trust);
  }
  return trust;
}

function inLowerCaseRoles(text: string): string {
  return text.replaceAll(/acs:ram::\d+:role\/[\w.-]+/g, (arn) => arn.toLowerCase());
}
