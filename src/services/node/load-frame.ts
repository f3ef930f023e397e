import type { FunctionConfig } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { StartOrder } from '../../core/ports/node-pool.ts';
import type { CredentialsFrame, Load } from '../../core/protocol/runtime-frames.ts';
import type { Environment } from './environment.ts';

/** The LOAD frame of one instance: everything that stays the same for all its calls (FC reference 4.1, 4.2). */
export function loadFrame(order: StartOrder, region: string, codePath: string, env: Environment): Load {
  const { spec, requestId } = order;
  const { config } = spec;
  return {
    runtime: config.runtime,
    concurrency: config.instanceConcurrency,
    handler: config.handler,
    codePath,
    env,
    function: {
      name: spec.functionName,
      handler: config.handler,
      memory: config.memorySize,
      timeout: config.timeout,
    },
    service: {
      logProject: config.logConfig?.project ?? '',
      logStore: config.logConfig?.logstore ?? '',
      versionId: spec.versionId,
    },
    region,
    accountId: spec.account,
    initializer: config.initializer?.handler ?? '',
    preStop: config.preStop?.handler ?? '',
    requestId,
  };
}

/** What the initializer may use, unless the function keeps credentials out of requests. */
export function requestCredentials(order: StartOrder): CredentialsFrame | undefined {
  const channel = order.spec.config.disableInjectCredentials;
  if (channel === 'Request' || channel === 'All') return undefined;
  const { accessKeyId, accessKeySecret, securityToken } = order.credentials;
  return { accessKeyId, accessKeySecret, securityToken };
}

/** True when the function has an initializer. */
export function hasInitializer(order: StartOrder): boolean {
  return (order.spec.config.initializer?.handler ?? '') !== '';
}

/**
 * Seconds that loading the code may take: whoever gives calls or the initializer more time has a function that needs it; a
 * module that never ends must not keep its callers for longer than a port that is never opened.
 */
export function loadSeconds(config: Pick<FunctionConfig, 'timeout' | 'initializer'>): number {
  const wanted = Math.max(LIMITS.loadLeastSeconds, config.timeout, config.initializer?.timeout ?? 0);
  return Math.min(LIMITS.customStartSeconds, wanted);
}
