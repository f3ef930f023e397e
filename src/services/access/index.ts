export { AccessDecisions } from './access-decisions.ts';
export { BuiltinPrincipalPolicies } from './builtin-principal-policies.ts';
export { readPolicy, readTrustPolicy } from './policy-reading.ts';
