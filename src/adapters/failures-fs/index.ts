export { openFailedCalls, removeFailedCalls } from './failed-call-files.ts';
