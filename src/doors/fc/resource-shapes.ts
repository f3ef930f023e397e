import { functionArn } from '../../core/domain/arn.ts';
import type { AliasRecord, VersionRecord } from '../../core/domain/function.ts';
import { domainPrefixOf, type TriggerRecord } from '../../core/domain/trigger.ts';
import { blobId } from '../../core/ports/blob-store.ts';
import type { AsyncConfigView, ConcurrencyConfigView, LayerView, TaggedResource } from '../../core/ports/control.ts';
import { timestamp } from '../wire/timestamp.ts';
import type { OperationContext } from './operation.ts';

/** `Version` of FC reference 1.2. */
export function versionShape(version: VersionRecord): Record<string, unknown> {
  return {
    versionId: version.versionId,
    description: version.description,
    createdTime: timestamp(version.createdTime),
    lastModifiedTime: timestamp(version.lastModifiedTime),
  };
}

/** `Alias` of FC reference 1.2. */
export function aliasShape(alias: AliasRecord): Record<string, unknown> {
  return {
    aliasName: alias.aliasName,
    versionId: alias.versionId,
    description: alias.description,
    additionalVersionWeight: alias.additionalVersionWeight,
    createdTime: timestamp(alias.createdTime),
    lastModifiedTime: timestamp(alias.lastModifiedTime),
  };
}

/** `Layer` of FC reference 1.3: `createTime`, not `createdTime`; `acl` is a string of one digit. */
export function layerShape(context: OperationContext, view: LayerView): Record<string, unknown> {
  const { record } = view;
  return {
    layerName: record.layerName,
    version: record.version,
    layerVersionArn: view.arn,
    acl: record.public ? '1' : '0',
    code: { location: context.links.link(blobId(record.code)), repositoryType: 'OSS' },
    codeChecksum: record.code.checksum,
    codeSize: record.code.size,
    compatibleRuntime: record.compatibleRuntime,
    description: record.description,
    license: record.license,
    createTime: timestamp(record.createdTime),
  };
}

/** `Trigger` of FC reference 1.4; `triggerConfig` is the caller's own JSON text, without secrets. */
export function triggerShape(context: OperationContext, trigger: TriggerRecord): Record<string, unknown> {
  const shape: Record<string, unknown> = {
    triggerId: trigger.triggerId,
    triggerName: trigger.triggerName,
    triggerType: trigger.config.type,
    triggerConfig: trigger.rawConfig,
    qualifier: trigger.qualifier,
    sourceArn: trigger.sourceArn,
    targetArn: functionArn(context.region, trigger.account, trigger.functionName),
    invocationRole: trigger.invocationRole,
    description: trigger.description,
    createdTime: timestamp(trigger.createdTime),
    lastModifiedTime: timestamp(trigger.lastModifiedTime),
  };
  const domainPrefix = domainPrefixOf(trigger.config);
  if (domainPrefix !== undefined) {
    const urls = context.triggerUrls(domainPrefix);
    shape['httpTrigger'] = { urlInternet: urls.internet, urlIntranet: urls.intranet };
  }
  return shape;
}

/** `AsyncConfig` of FC reference 1.6. */
export function asyncConfigShape(view: AsyncConfigView): Record<string, unknown> {
  const { record } = view;
  const destinations: Record<string, unknown> = {};
  if (record.onSuccess !== undefined) destinations['onSuccess'] = { destination: record.onSuccess };
  if (record.onFailure !== undefined) destinations['onFailure'] = { destination: record.onFailure };
  return {
    functionArn: view.functionArn,
    asyncTask: record.asyncTask === true,
    destinationConfig: destinations,
    maxAsyncRetryAttempts: record.maxAsyncRetryAttempts,
    maxAsyncEventAgeInSeconds: record.maxAsyncEventAgeInSeconds,
    createdTime: timestamp(record.createdTime),
    lastModifiedTime: timestamp(record.lastModifiedTime),
  };
}

export function concurrencyShape(view: ConcurrencyConfigView): Record<string, unknown> {
  return { functionArn: view.functionArn, reservedConcurrency: view.reservedConcurrency };
}

/** One row of ListTagResources: PascalCase (FC reference 1.10). */
export function tagResourceShape(row: TaggedResource): Record<string, unknown> {
  return { ResourceId: row.resourceId, ResourceType: row.resourceType, TagKey: row.tag.key, TagValue: row.tag.value };
}
