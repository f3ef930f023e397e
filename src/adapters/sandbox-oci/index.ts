export { type EgressLists, parseEgressLists } from './egress-lists.ts';
export { createOciRuntime, installationTag } from './runtime.ts';
export { reportTiers } from './tiers.ts';
