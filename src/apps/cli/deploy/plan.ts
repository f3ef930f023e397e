/** Where the code of a function comes from. */
export type CodeSource =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'archive'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'object'; readonly bucket: string; readonly key: string };

export interface TriggerPlan {
  readonly triggerName: string;
  readonly triggerType: string;
  /** Left out: none, or as it is. */
  readonly sourceArn?: string;
  /** Fields of UpdateTriggerInput. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** A setting beside the function itself, sent after it. */
export interface ExtraConfig {
  readonly kind:
    | 'asyncInvokeConfig'
    | 'vpcBinding'
    | 'customDomain'
    | 'provisionConfig'
    | 'scalingConfig'
    | 'concurrencyConfig';
  readonly body: Readonly<Record<string, unknown>>;
  readonly qualifier?: string;
}

/** Everything that deploying one function sends. */
export interface FunctionPlan {
  readonly functionName: string;
  /** Fields of CreateFunctionInput but name, code and tags; the role `auto` is made when it is deployed. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Fields that only a new function gets: what an existing one has instead is kept. */
  readonly whenNew?: Readonly<Record<string, unknown>>;
  readonly code: CodeSource | undefined;
  /** Left out: tags stay as they are. */
  readonly tags?: readonly { readonly key: string; readonly value: string }[];
  readonly triggers: readonly TriggerPlan[];
  /** Whether a function without any http trigger gets an anonymous one. */
  readonly httpByDefault: boolean;
  readonly extras: readonly ExtraConfig[];
  /** Extra request headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Remarks for the person who deploys. */
  readonly notes: readonly string[];
}

/** What came of it. */
export interface Deployed {
  readonly functionName: string;
  readonly functionArn: string;
  readonly runtime: string;
  readonly handler: string;
  readonly memorySize: number;
  readonly created: boolean;
  readonly uploaded: boolean;
  readonly codeChecksum: string;
  readonly codeSize: number;
  readonly files: number | undefined;
  readonly url: string | undefined;
  readonly intranetUrl: string | undefined;
  readonly triggers: readonly string[];
  readonly durationMs: number;
}
