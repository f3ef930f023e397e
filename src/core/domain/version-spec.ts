import type { CodePackage, FunctionConfig } from './function.ts';

/**
 * Everything that is needed to run one version: what dispatch resolves a call to, and what the scheduler and the node
 * start instances from. Immutable; `key` is equal exactly when instances may be shared.
 */
export interface VersionSpec {
  /** `account/function/versionId@generation`. */
  readonly key: string;
  readonly account: string;
  readonly functionName: string;
  readonly functionArn: string;
  /** A published version's number, or `LATEST`. */
  readonly versionId: string;
  readonly config: FunctionConfig;
  readonly code: CodePackage;
  /** In order of precedence: the first wins on conflict. */
  readonly layers: readonly { readonly arn: string; readonly code: CodePackage }[];
}

/** True for runtimes whose instance is an HTTP server of the user's own (`custom`, `custom.debian11`, ...). */
export function isCustomRuntime(runtime: string): boolean {
  return runtime === 'custom' || runtime.startsWith('custom.');
}
