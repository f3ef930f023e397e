import type { SessionAffinity } from './session.ts';

/** A runtime id of Function Compute, e.g. `nodejs20`, `python3.10`, `custom.debian12`. Known ids: see runtime.ts. */
export type RuntimeId = string;

export interface LifecycleHook {
  /** `file.method` for built-in runtimes; for custom runtimes any non-empty string switches the hook on. Empty = off. */
  readonly handler: string;
  /** Seconds. */
  readonly timeout: number;
}

export interface HealthCheckConfig {
  readonly httpGetUrl: string;
  readonly initialDelaySeconds: number;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
  readonly successThreshold: number;
}

export interface CustomRuntimeConfig {
  /** Start command; empty means `/code/bootstrap`. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly port: number;
  readonly healthCheckConfig?: HealthCheckConfig;
}

export interface LogConfig {
  readonly project: string;
  readonly logstore: string;
  readonly enableRequestMetrics: boolean;
  readonly enableInstanceMetrics: boolean;
  readonly logBeginRule: 'DefaultRegex' | 'None';
}

export interface CustomDns {
  readonly nameServers: readonly string[];
  readonly searches: readonly string[];
  readonly dnsOptions: readonly { readonly name: string; readonly value?: string }[];
}

export type CredentialChannel = 'None' | 'Env' | 'Request' | 'All';

/** The configuration of one function or version, complete: every default is filled in (FC reference 3.1). */
export interface FunctionConfig {
  readonly description: string;
  readonly runtime: RuntimeId;
  readonly handler: string;
  /** vCPUs. */
  readonly cpu: number;
  /** MB. */
  readonly memorySize: number;
  /** MB of private /tmp. */
  readonly diskSize: number;
  /** Seconds. */
  readonly timeout: number;
  readonly instanceConcurrency: number;
  readonly environmentVariables: Readonly<Record<string, string>>;
  /** Layer version ARNs; on conflict the earlier one wins. */
  readonly layers: readonly string[];
  readonly internetAccess: boolean;
  readonly role: string;
  readonly logConfig?: LogConfig;
  readonly initializer?: LifecycleHook;
  readonly preStop?: LifecycleHook;
  readonly customRuntimeConfig?: CustomRuntimeConfig;
  readonly customDns?: CustomDns;
  readonly disableInjectCredentials: CredentialChannel;
  /** Seconds an idle on-demand instance is kept; undefined = the platform's default. */
  readonly idleTimeout?: number;
  readonly instanceIsolationMode: 'SHARE' | 'REQUEST_EXCLUSIVE' | 'SESSION_EXCLUSIVE';
  /** Undefined: NONE. */
  readonly sessionAffinity?: SessionAffinity;
  readonly disableOndemand: boolean;
}

/** A stored code package: `digest` names the blob; the rest is what the API shows. */
export interface CodePackage {
  /** The account that brought it: the blob is sealed under its key. */
  readonly owner: string;
  /** SHA-256 of the zip, lower-case hex. */
  readonly digest: string;
  /** CRC-64/XZ, unsigned decimal. */
  readonly checksum: string;
  /** Bytes of the zip. */
  readonly size: number;
}

export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** The mutable head (`LATEST`) of a function, as stored. */
export interface FunctionRecord {
  readonly account: string;
  readonly name: string;
  readonly functionId: string;
  readonly config: FunctionConfig;
  readonly code: CodePackage;
  readonly tags: readonly Tag[];
  /** Milliseconds since the epoch. */
  readonly createdTime: number;
  readonly lastModifiedTime: number;
  /** Grows with every change of code or configuration; part of the instance key, so a change gets new instances. */
  readonly generation: number;
  /** The last version id handed out; ids are never reused. */
  readonly lastVersionId: number;
  /** The generation that `lastVersionId` was published from: publishing the same again is refused. */
  readonly lastPublishedGeneration: number;
  /** Set while invocations are switched off (DisableFunctionInvocation). */
  readonly invocationRestriction?: {
    readonly disable: boolean;
    readonly reason: string;
    readonly lastModifiedTime: number;
  };
  /** PutConcurrencyConfig; undefined = not set. 0 refuses every invocation. */
  readonly reservedConcurrency?: number;
  /** A label of the caller's, given back and usable as a list filter; it has no other effect. */
  readonly resourceGroupId?: string;
}

/** An immutable snapshot of code and configuration. */
export interface VersionRecord {
  readonly account: string;
  readonly functionName: string;
  /** Decimal, from 1. */
  readonly versionId: string;
  readonly description: string;
  readonly config: FunctionConfig;
  readonly code: CodePackage;
  readonly createdTime: number;
  readonly lastModifiedTime: number;
}

export interface AliasRecord {
  readonly account: string;
  readonly functionName: string;
  readonly aliasName: string;
  readonly versionId: string;
  readonly description: string;
  /** Extra version and its share 0..1; the main version gets the rest. */
  readonly additionalVersionWeight: Readonly<Record<string, number>>;
  readonly createdTime: number;
  readonly lastModifiedTime: number;
}

export interface LayerRecord {
  readonly account: string;
  readonly layerName: string;
  readonly version: number;
  readonly code: CodePackage;
  readonly compatibleRuntime: readonly string[];
  readonly description: string;
  readonly license: string;
  readonly public: boolean;
  readonly createdTime: number;
}

export interface AsyncInvokeConfigRecord {
  readonly account: string;
  readonly functionName: string;
  readonly qualifier: string;
  readonly maxAsyncRetryAttempts: number;
  readonly maxAsyncEventAgeInSeconds: number;
  /** Every asynchronous invocation is followed as a task; absent in configs of older releases. */
  readonly asyncTask?: boolean;
  /** Destinations as given; see `parseDestination`. */
  readonly onSuccess?: string;
  readonly onFailure?: string;
  readonly createdTime: number;
  readonly lastModifiedTime: number;
}
