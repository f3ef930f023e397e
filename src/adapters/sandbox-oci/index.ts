export { createOciRuntime, installationTag, type OciRuntime, type OciRuntimeOptions } from './runtime.ts';
export { reportTiers } from './tiers.ts';
