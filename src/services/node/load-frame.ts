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
