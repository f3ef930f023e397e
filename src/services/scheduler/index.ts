export { ServingCatalog } from './reserved-catalog.ts';
export { createReservedInstances } from './reserved-instances.ts';
export { createScheduling } from './scheduling.ts';
