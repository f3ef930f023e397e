/**
 * Keys that requests here can have; names after a slash stand for any. Other keys of these services would never hold, so that a
 * Deny that uses one would silently not deny: they are refused. Keys of services that are not here cannot do harm.
 */
export const KNOWN_KEYS: ReadonlySet<string> = new Set([
  'acs:currenttime',
  'acs:sourceip',
  'acs:securetransport',
  'acs:mfapresent',
  'acs:principalarn',
  'acs:useragent',
  'acs:service',
  'oss:prefix',
  'oss:delimiter',
]);

const SERVICES_HERE = /^(acs|fc|oss|ram|sts|tidemill):/;

/** Whether a policy may ask for it. */
export function isKnownKey(key: string): boolean {
  const folded = key.toLowerCase();
  return KNOWN_KEYS.has(folded) || !SERVICES_HERE.test(folded);
}
