export { createOciRuntime, installationTag } from './runtime.ts';
export { reportTiers } from './tiers.ts';
