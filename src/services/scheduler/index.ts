export { createScheduling } from './scheduling.ts';
