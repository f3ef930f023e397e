import type { Disposable } from '../base/disposable.ts';
import type {
  AliasRecord,
  AsyncInvokeConfigRecord,
  CodePackage,
  FunctionConfig,
  FunctionRecord,
  LayerRecord,
  Tag,
  VersionRecord,
} from '../domain/function.ts';
import type { Lineage } from '../domain/lineage.ts';
import type { ReservedConfigRecord } from '../domain/reserved-config.ts';
import type { TriggerRecord } from '../domain/trigger.ts';

/**
 * A request body or query as the door parsed it, in Function Compute's field names and nesting (FC reference 1 and 3.1). Control checks every
 * field itself: wrong types, unknown names and unsupported settings are refused by name, so doors pass bodies on unread.
 * Where FC carries base64 (`code.zipFile`) bytes are accepted as well.
 */
export type Input = Readonly<Record<string, unknown>>;

/** Paging as it stands in a query: `limit` may be digits in a string (1..100, default 20); `nextToken` is opaque. */
export interface ListQuery {
  readonly prefix?: string | undefined;
  readonly limit?: string | number | undefined;
  readonly nextToken?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly nextToken?: string;
}

/** One function seen through a qualifier: the head, or the version that the qualifier names (an alias: its main version). */
export interface FunctionView {
  /** The head: name, functionId, tags, invocationRestriction, reservedConcurrency. */
  readonly record: FunctionRecord;
  /** ARN of the function, with `/qualifier` when the request named one. */
  readonly functionArn: string;
  /** `LATEST` or a version number. */
  readonly versionId: string;
  /** Of the version seen. */
  readonly config: FunctionConfig;
  readonly code: CodePackage;
  readonly createdTime: number;
  readonly lastModifiedTime: number;
  /** In the order of `config.layers`; sizes are those of the zips. */
  readonly layers: readonly { readonly arn: string; readonly size: number }[];
}

export interface ListFunctionsQuery extends ListQuery {
  readonly runtime?: string | undefined;
  /** Substring of the description. */
  readonly description?: string | undefined;
  /** Exact name. */
  readonly functionName?: string | undefined;
  readonly resourceGroupId?: string | undefined;
  /** FC's JSON array string `[{"Key":..,"Value":..}]`; every tag must match, an absent Value matches any. */
  readonly tags?: string | undefined;
  /** `v3` (or absent) lists; `v2` has nothing here. */
  readonly fcVersion?: string | undefined;
  /** GPU functions do not exist here: any value lists nothing. */
  readonly gpuType?: string | undefined;
}

export interface ListVersionsQuery {
  /** `BACKWARD` (newest first, default) or `FORWARD`. */
  readonly direction?: string | undefined;
  readonly limit?: string | number | undefined;
  /** The version id to start at. */
  readonly nextToken?: string | undefined;
}

export interface LayerView {
  readonly record: LayerRecord;
  readonly arn: string;
}

export interface ConcurrencyConfigView {
  readonly functionArn: string;
  readonly functionName: string;
  readonly reservedConcurrency: number;
}

export interface AsyncConfigView {
  readonly record: AsyncInvokeConfigRecord;
  /** With the qualifier. */
  readonly functionArn: string;
}

/** A config of reserved instances; how it stands is told by ReservedInstances. */
export interface ReservedConfigView {
  readonly record: ReservedConfigRecord;
  /** With the qualifier. */
  readonly functionArn: string;
}

/** One tag of one resource, as ListTagResources shows it. */
export interface TaggedResource {
  readonly resourceId: string;
  /** Always `ALIYUN::FC::FUNCTION`. */
  readonly resourceType: string;
  readonly tag: Tag;
}

/** tags-v2 requests, values as decoded from JSON (arrays, not JSON strings). */
export interface TagSelection {
  readonly resourceType?: unknown;
  /** Function ARNs. */
  readonly resourceIds?: unknown;
}

/** A function was disabled with `abortOngoingRequest`: whoever runs its requests ends them. */
export interface AbortRequested {
  readonly account: string;
  readonly functionName: string;
  readonly reason: string;
}

/**
 * Deploy, publish, alias, configure: what doors call. Promises: a resolved call is durable and visible to the next read on
 * this server; a rejected one changed nothing; every failure is a TidemillError whose message names the field or resource.
 */
/** What an account has of what quotas bound. */
export interface AccountUsage {
  readonly functions: number;
  readonly codeBytes: number;
}

export interface Control {
  /** Throws FunctionAlreadyExists, InvalidArgument, NotSupported, LimitExceededError, LayerVersionNotFound. */
  createFunction(account: string, input: Input): Promise<FunctionView>;
  getFunction(account: string, name: string, qualifier?: string): Promise<FunctionView>;
  /**
   * Merges: absent fields keep their value, explicit empty ones clear (FC reference 3.1). Concurrent updates of other fields are
   * merged; of the same field: ConcurrentUpdateError.
   */
  updateFunction(account: string, name: string, input: Input): Promise<FunctionView>;
  /** Takes triggers, aliases, versions, async and concurrency config with it; refused while reserved instances are asked for. */
  deleteFunction(account: string, name: string): Promise<void>;
  listFunctions(account: string, query: ListFunctionsQuery): Promise<Page<FunctionView>>;
  /** The exact package bytes are the blob `digest`. */
  functionCode(account: string, name: string, qualifier?: string): Promise<CodePackage>;
  enableInvocation(account: string, name: string): Promise<void>;
  /** `input`: `{reason, abortOngoingRequest}`. */
  disableInvocation(account: string, name: string, input: Input): Promise<void>;
  onAbortRequested(listener: (request: AbortRequested) => void): Disposable;

  /** `input`: `{description}`. Refused (InvalidArgument) when nothing changed since the newest version. */
  publishVersion(account: string, name: string, input: Input): Promise<VersionRecord>;
  listVersions(
    account: string,
    name: string,
    query: ListVersionsQuery,
  ): Promise<Page<VersionRecord> & { readonly direction: 'BACKWARD' | 'FORWARD' }>;
  /** Refused (InvalidArgument) while an alias points at it, and for LATEST. */
  deleteVersion(account: string, name: string, versionId: string): Promise<void>;

  createAlias(account: string, name: string, input: Input): Promise<AliasRecord>;
  getAlias(account: string, name: string, aliasName: string): Promise<AliasRecord>;
  updateAlias(account: string, name: string, aliasName: string, input: Input): Promise<AliasRecord>;
  deleteAlias(account: string, name: string, aliasName: string): Promise<void>;
  listAliases(account: string, name: string, query: ListQuery): Promise<Page<AliasRecord>>;

  createLayerVersion(account: string, layerName: string, input: Input): Promise<LayerView>;
  getLayerVersion(account: string, layerName: string, version: string | number): Promise<LayerView>;
  /** Own layers, and public ones of other accounts. */
  getLayerVersionByArn(account: string, arn: string): Promise<LayerView>;
  /** Functions that already use it keep it. */
  deleteLayerVersion(account: string, layerName: string, version: string | number): Promise<void>;
  /** Newest first; `nextVersion` is the version to start the next page at. */
  listLayerVersions(
    account: string,
    layerName: string,
    query: { readonly startVersion?: string | number | undefined; readonly limit?: string | number | undefined },
  ): Promise<{ readonly items: readonly LayerView[]; readonly nextVersion?: number }>;
  /** The newest version of each layer. `public`/`official`: `"true"`/`"false"`; there are no official layers here. */
  listLayers(
    account: string,
    query: ListQuery & { readonly public?: string | undefined; readonly official?: string | undefined },
  ): Promise<Page<LayerView>>;
  /** `acl`: `"0"` private, `"1"` public to all accounts of this installation. */
  putLayerAcl(account: string, layerName: string, acl: string): Promise<void>;

  /**
   * `triggerConfig` is FC's JSON string (an object is accepted too). `lineage`: of the function that asks for it, kept with the
   * trigger, whose events descend from it; undefined: asked for from outside.
   */
  createTrigger(account: string, name: string, input: Input, lineage?: Lineage): Promise<TriggerRecord>;
  getTrigger(account: string, name: string, triggerName: string): Promise<TriggerRecord>;
  updateTrigger(
    account: string,
    name: string,
    triggerName: string,
    input: Input,
    lineage?: Lineage,
  ): Promise<TriggerRecord>;
  deleteTrigger(account: string, name: string, triggerName: string): Promise<void>;
  listTriggers(account: string, name: string, query: ListQuery): Promise<Page<TriggerRecord>>;

  putAsyncConfig(account: string, name: string, qualifier: string | undefined, input: Input): Promise<AsyncConfigView>;
  /** Throws AsyncConfigNotExists when unset. */
  getAsyncConfig(account: string, name: string, qualifier: string | undefined): Promise<AsyncConfigView>;
  deleteAsyncConfig(account: string, name: string, qualifier: string | undefined): Promise<void>;
  /** Of one function, or of all functions of the account. */
  listAsyncConfigs(account: string, functionName: string | undefined, query: ListQuery): Promise<Page<AsyncConfigView>>;

  /** `input`: `{reservedConcurrency}`. */
  putConcurrencyConfig(account: string, name: string, input: Input): Promise<ConcurrencyConfigView>;
  /** Throws OnDemandConfigNotFound when unset. */
  getConcurrencyConfig(account: string, name: string): Promise<ConcurrencyConfigView>;
  deleteConcurrencyConfig(account: string, name: string): Promise<void>;
  listConcurrencyConfigs(
    account: string,
    functionName: string | undefined,
    query: ListQuery,
  ): Promise<Page<ConcurrencyConfigView>>;

  /**
   * Reserved instances, for LATEST or an alias. A provision config and a scaling config exclude one another
   * (ProvisionConfigExist, ResidentScalingConfigExists). `get`: undefined when there is none. `delete` is idempotent.
   */
  putProvisionConfig(
    account: string,
    name: string,
    qualifier: string | undefined,
    input: Input,
  ): Promise<ReservedConfigView>;
  getProvisionConfig(
    account: string,
    name: string,
    qualifier: string | undefined,
  ): Promise<ReservedConfigView | undefined>;
  deleteProvisionConfig(account: string, name: string, qualifier: string | undefined): Promise<void>;
  listProvisionConfigs(
    account: string,
    functionName: string | undefined,
    query: ListQuery,
  ): Promise<Page<ReservedConfigView>>;
  putScalingConfig(
    account: string,
    name: string,
    qualifier: string | undefined,
    input: Input,
  ): Promise<ReservedConfigView>;
  getScalingConfig(
    account: string,
    name: string,
    qualifier: string | undefined,
  ): Promise<ReservedConfigView | undefined>;
  deleteScalingConfig(account: string, name: string, qualifier: string | undefined): Promise<void>;
  listScalingConfigs(
    account: string,
    functionName: string | undefined,
    query: ListQuery,
  ): Promise<Page<ReservedConfigView>>;

  /** `tags`: `[{Key,Value}]`. All resources are checked before the first is changed. */
  tagResources(account: string, request: TagSelection & { readonly tags?: unknown }): Promise<void>;
  /** `all: true` removes every tag; otherwise `tagKeys`. */
  untagResources(
    account: string,
    request: TagSelection & { readonly tagKeys?: unknown; readonly all?: unknown },
  ): Promise<void>;
  /** Without `resourceIds`: all functions of the account that carry the `tags` asked for. */
  listTagResources(
    account: string,
    request: TagSelection & { readonly tags?: unknown },
    query: ListQuery,
  ): Promise<Page<TaggedResource>>;
}
