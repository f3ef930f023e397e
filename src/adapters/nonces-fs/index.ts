export { openNonceJournal } from './nonce-files.ts';
