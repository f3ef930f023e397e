import type { FunctionConfig } from './function.ts';

/** A failed invocation with everything that is needed to run it again elsewhere. */
export interface ReplayCase {
  readonly requestId: string;
  readonly account: string;
  readonly region: string;
  readonly functionName: string;
  readonly qualifier: string;
  readonly versionId: string;
  /** What the platform knew of the failure. */
  readonly errorMessage: string;
  readonly config: FunctionConfig;
  /** False: the function was changed after the call, and this is the configuration it has now. */
  readonly configOfThen: boolean;
  /** SHA-256 of the zip that ran; absent when that is not known any more. */
  readonly codeDigest?: string;
  /** Whether that code, and each layer, is still there. */
  readonly codeKept: boolean;
  readonly layers: readonly { readonly arn: string; readonly digest: string }[];
  /** Base64; absent when it was not kept. */
  readonly payload?: string;
  /** The call was an HTTP request, not an event. */
  readonly http: boolean;
}
