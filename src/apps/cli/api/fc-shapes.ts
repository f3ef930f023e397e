/** Parts of the FC API's answers that the command line reads (FC reference 1). */
export interface FunctionShape {
  readonly functionName: string;
  readonly functionArn: string;
  readonly runtime: string;
  readonly handler: string;
  readonly description?: string;
  readonly memorySize: number;
  readonly cpu: number;
  readonly timeout: number;
  readonly codeSize: number;
  readonly codeChecksum: string;
  readonly lastModifiedTime: string;
}

export interface TriggerShape {
  readonly triggerName: string;
  readonly triggerType: string;
  readonly triggerConfig: string;
  readonly qualifier: string;
  readonly sourceArn?: string;
  readonly httpTrigger?: { readonly urlInternet: string; readonly urlIntranet: string };
}

export interface VersionShape {
  readonly versionId: string;
  readonly description: string;
  readonly createdTime: string;
}

export interface AliasShape {
  readonly aliasName: string;
  readonly versionId: string;
  readonly description: string;
  readonly additionalVersionWeight?: Readonly<Record<string, number>>;
}

export interface LayerShape {
  readonly layerName: string;
  readonly version: number;
  readonly layerVersionArn: string;
  readonly codeSize: number;
  readonly codeChecksum: string;
  readonly compatibleRuntime: readonly string[];
}

/** Answer of the operations API's `warm`. */
export interface WarmShape {
  readonly ok: boolean;
  readonly instanceId?: string;
  readonly startLog?: string;
  readonly kind?: string;
  readonly message?: string;
  readonly error?: unknown;
}

/** `acs:fc:REGION:ACCOUNT:functions/NAME` taken apart. */
export function homeOf(functionArn: string): { region: string; accountId: string } | undefined {
  const match = /^acs:fc:([^:]*):([^:]*):/.exec(functionArn);
  return match === null ? undefined : { region: match[1] ?? '', accountId: match[2] ?? '' };
}
