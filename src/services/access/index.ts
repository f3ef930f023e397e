export { AccessDecisions } from './access-decisions.ts';
export { BuiltinPrincipalPolicies } from './builtin-principal-policies.ts';
