import type { ReplayCase } from '../../../core/domain/replay.ts';
import type { Load } from '../../../core/protocol/runtime-frames.ts';

/** The LOAD frame for a call that runs again below `folder`, which holds `code` and `opt`. No credentials: nothing is to be changed. */
export function replayLoad(what: ReplayCase, folder: string, systemPath: string): Load {
  const { config } = what;
  const [code, opt] = [`${folder}/code`, `${folder}/opt`];
  const { handler, memorySize, timeout } = config;
  return {
    runtime: config.runtime,
    concurrency: config.instanceConcurrency,
    handler,
    codePath: code,
    env: {
      HOME: '/tmp',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      PATH: `${code}:${code}/bin:${opt}/bin:${systemPath}`,
      LD_LIBRARY_PATH: `${code}:${code}/lib:${opt}/lib`,
      NODE_PATH: `${opt}/nodejs/node_modules`,
      PYTHONPATH: `${opt}/python`,
      FC_FUNC_CODE_PATH: code,
      FC_ACCOUNT_ID: what.account,
      FC_FUNCTION_HANDLER: handler,
      FC_FUNCTION_MEMORY_SIZE: String(memorySize),
      FC_FUNCTION_NAME: what.functionName,
      FC_REGION: what.region,
      FC_INSTANCE_ID: 'replay',
      FC_VER_ID: what.versionId,
      FC_FUNCTION_VERSION: what.versionId,
      FC_RUNTIME: config.runtime,
      FC_TIMEOUT: String(timeout),
      ...config.environmentVariables,
    },
    function: { name: what.functionName, handler, memory: memorySize, timeout },
    service: {
      logProject: config.logConfig?.project ?? '',
      logStore: config.logConfig?.logstore ?? '',
      versionId: what.versionId,
    },
    region: what.region,
    accountId: what.account,
    initializer: config.initializer?.handler ?? '',
    preStop: '',
    requestId: what.requestId,
  };
}
