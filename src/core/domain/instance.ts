/** Why an instance is no more. `oom`: it allocated past its memory. `crash`: its process ended by itself. */
export type ExitReason = 'stopped' | 'oom' | 'crash' | 'timeout' | 'killed';

export interface InstanceExit {
  readonly instanceId: string;
  readonly reason: ExitReason;
  readonly exitCode?: number;
  /** The last lines the instance wrote, for error messages; at most 4 KB. */
  readonly lastOutput: string;
}

/** Where to reach a running instance: frames over a Unix socket (built-in runtimes) or HTTP (custom runtimes). */
export type InstanceAddress =
  | { readonly kind: 'frames'; readonly path: string }
  | { readonly kind: 'http'; readonly host: string; readonly port: number };

/** Milliseconds per phase of one instance start; phases taken from a pool are what was left of them. */
export interface StartTimings {
  readonly sandboxMs: number;
  readonly runtimeMs: number;
  readonly codeMs: number;
  readonly initializerMs: number;
  /** `pool`: a booted runtime was waiting. `bare`: a sandbox without a runtime was. `scratch`: the sandbox was made for this start. */
  readonly from: 'pool' | 'bare' | 'scratch';
}
