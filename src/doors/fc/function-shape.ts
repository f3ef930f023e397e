import type { CustomRuntimeConfig, FunctionConfig, LifecycleHook, Tag } from '../../core/domain/function.ts';
import { affinityText } from '../../core/domain/session.ts';
import type { FunctionView } from '../../core/ports/control.ts';
import { timestamp } from '../wire/timestamp.ts';

/** `Function` of FC reference 3.1. Lists leave the state members out, as the field does. */
export function functionShape(view: FunctionView, options: { readonly listed: boolean }): Record<string, unknown> {
  const { record, config } = view;
  return {
    ...configShape(config),
    functionName: record.name,
    functionId: record.functionId,
    functionArn: view.functionArn,
    codeSize: view.code.size,
    codeChecksum: view.code.checksum,
    layers: view.layers.map(({ arn, size }) => ({ arn, size })),
    tags: record.tags.map(tagShape),
    createdTime: timestamp(view.createdTime),
    lastModifiedTime: timestamp(view.lastModifiedTime),
    ...(record.invocationRestriction === undefined
      ? {}
      : {
          invocationRestriction: {
            disable: record.invocationRestriction.disable,
            reason: record.invocationRestriction.reason,
            lastModifiedTime: timestamp(record.invocationRestriction.lastModifiedTime),
          },
        }),
    ...(options.listed
      ? {}
      : {
          state: 'Active',
          stateReason: '',
          stateReasonCode: '',
          lastUpdateStatus: 'Successful',
          lastUpdateStatusReason: '',
          lastUpdateStatusReasonCode: '',
        }),
  };
}

function configShape(config: FunctionConfig): Record<string, unknown> {
  const lifecycle = lifecycleShape(config);
  return {
    description: config.description,
    runtime: config.runtime,
    handler: config.handler,
    cpu: config.cpu,
    memorySize: config.memorySize,
    diskSize: config.diskSize,
    timeout: config.timeout,
    instanceConcurrency: config.instanceConcurrency,
    environmentVariables: config.environmentVariables,
    internetAccess: config.internetAccess,
    role: config.role,
    disableInjectCredentials: config.disableInjectCredentials,
    disableOndemand: config.disableOndemand,
    instanceIsolationMode: config.instanceIsolationMode,
    sessionAffinity: config.sessionAffinity?.type ?? 'NONE',
    ...(config.sessionAffinity === undefined ? {} : { sessionAffinityConfig: affinityText(config.sessionAffinity) }),
    ...(config.idleTimeout === undefined ? {} : { idleTimeout: config.idleTimeout }),
    ...(config.logConfig === undefined ? {} : { logConfig: config.logConfig }),
    ...(lifecycle === undefined ? {} : { instanceLifecycleConfig: lifecycle }),
    ...(config.customRuntimeConfig === undefined
      ? {}
      : { customRuntimeConfig: customRuntimeShape(config.customRuntimeConfig) }),
    ...(config.customDns === undefined ? {} : { customDNS: config.customDns }),
  };
}

function lifecycleShape(config: FunctionConfig): Record<string, LifecycleHook> | undefined {
  const hooks: Record<string, LifecycleHook> = {};
  if (config.initializer !== undefined) hooks['initializer'] = config.initializer;
  if (config.preStop !== undefined) hooks['preStop'] = config.preStop;
  return Object.keys(hooks).length === 0 ? undefined : hooks;
}

function customRuntimeShape(config: CustomRuntimeConfig): Record<string, unknown> {
  return {
    command: config.command,
    args: config.args,
    port: config.port,
    ...(config.healthCheckConfig === undefined ? {} : { healthCheckConfig: config.healthCheckConfig }),
  };
}

/** Domain tags are lower-case, the wire is PascalCase (FC reference 1.10). */
function tagShape(tag: Tag): { Key: string; Value: string } {
  return { Key: tag.key, Value: tag.value };
}
