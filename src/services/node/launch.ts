import type { Environment } from './environment.ts';

/** How the first process of a runtime is started on this machine; the composition root knows the paths. */
export interface RuntimeLaunch {
  /** Empty for custom runtimes: the function's own start command runs. */
  readonly args: readonly string[];
  /** On top of the environment that every instance boots with. */
  readonly env: Environment;
  /** Folders of the host that the runtime itself needs, shown read-only. */
  readonly boot: readonly { readonly source: string; readonly target: string }[];
}

/** Undefined: this machine does not have the runtime. */
export type LaunchTable = (runtime: string) => RuntimeLaunch | undefined;
