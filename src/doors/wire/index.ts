export { Acs3Verifier } from './acs3-verifier.ts';
export { answerClientError } from './client-error.ts';
