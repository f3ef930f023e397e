import type { FunctionConfig, RuntimeId } from './function.ts';
import { LIMITS } from './limits.ts';

/** The configuration of a function of which nothing was said but these two (FC reference 3.1). */
export function defaultConfig(runtime: RuntimeId, handler: string): FunctionConfig {
  return {
    description: '',
    runtime,
    handler,
    cpu: 0.35,
    memorySize: 512,
    diskSize: 512,
    timeout: LIMITS.timeoutDefaultSeconds,
    instanceConcurrency: 1,
    environmentVariables: {},
    layers: [],
    internetAccess: true,
    role: '',
    disableInjectCredentials: 'None',
    instanceIsolationMode: 'SHARE',
    disableOndemand: false,
  };
}
