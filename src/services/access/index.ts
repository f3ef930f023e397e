export { AccessDecisions } from './access-decisions.ts';
export { DEFAULT_OF_FUNCTIONS } from './builtin-policies.ts';
export { createAccess } from './create-access.ts';
export { readPolicy, readTrustPolicy } from './policy-reading.ts';
