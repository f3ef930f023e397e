export { createScheduling, type SchedulingDeps } from './scheduling.ts';
export type { SchedulerSettings } from './settings.ts';
