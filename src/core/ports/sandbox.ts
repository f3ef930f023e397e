import type { CustomDns } from '../domain/function.ts';
import type { ExitReason } from '../domain/instance.ts';
import type { ExecListener, ExecRequest, ExecSession } from './exec.ts';

export type SandboxTier = 'container' | 'gvisor' | 'process' | 'isolate';

export interface SandboxLimits {
  readonly memoryMb: number;
  readonly cpu: number;
  readonly pids: number;
  /**
   * What it gets of busy processors beside other sandboxes, 1 being the usual part (default): less than 1 stands back while
   * others work, and has all of what they leave. Between 0.01 and 1. Tiers that cannot confine ignore it with the rest.
   */
  readonly cpuWeight?: number;
}

export interface SandboxMount {
  /** A folder of the host, shown read-only. */
  readonly source: string;
  /** Where it appears inside: `/code` or `/opt`. */
  readonly target: '/code' | '/opt';
}

export interface SandboxProcess {
  readonly args: readonly string[];
  /** All of it: nothing else is added but PATH and HOME where they are missing. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface SandboxSpec {
  /** Unique on the machine; names cgroup, bundle and network. */
  readonly id: string;
  readonly process: SandboxProcess;
  /** Extra read-only folders at boot: the runtime's own files, e.g. the node binary and the shim. */
  readonly boot: readonly { readonly source: string; readonly target: string }[];
  readonly limits: SandboxLimits;
  /** MB of private /tmp. */
  readonly diskMb: number;
  /** Frames: pass a listening Unix socket as descriptor 3. Http: the process listens on a TCP port of its own network. */
  readonly listen: 'frames' | 'http';
  readonly internetAccess: boolean;
  /** Whose lists of reachable places hold for it. Nobody's: it reaches nothing beyond this host where there are lists. */
  readonly account?: string;
  readonly dns?: CustomDns;
  /** Code and layers known at creation (custom runtimes); pooled runtimes get theirs by `specialise`. */
  readonly mounts: readonly SandboxMount[];
}

export interface SandboxStats {
  readonly memoryBytes: number;
  readonly memoryPeakBytes: number;
  readonly cpuMicros: number;
  readonly processes: number;
}

export interface SandboxExit {
  readonly reason: ExitReason;
  readonly exitCode?: number;
}

/** One sandbox. It outlives the agent that made it: `SandboxRuntime.adopt` finds it again. */
export interface SandboxHandle {
  readonly id: string;
  /** Path of the Unix socket to dial, for `listen: 'frames'`. */
  readonly socketPath: string | undefined;
  /** IP address to dial from this host, for `listen: 'http'`. */
  readonly host: string | undefined;
  /** IP address that its connections to the platform come from, when no other process has it too. */
  readonly source?: string | undefined;
  /** Main process as the host sees it. */
  readonly pid: number;
  /**
   * Where a folder of the sandbox (`/code`, `/opt`, a boot target) really is for the process inside, when the tier cannot
   * show it at its own path (`process`). Absent: everything is where it was asked for. Ask after `specialise`.
   */
  pathOf?(target: string): string;
  /** Shows code and layers inside, sets the limits and egress of the version; only once, on a sandbox made without mounts. */
  specialise(options: {
    mounts: readonly SandboxMount[];
    limits: SandboxLimits;
    internetAccess: boolean;
    account?: string;
    dns?: CustomDns;
  }): Promise<void>;
  /** Changes the limits of the running sandbox; as binding as those it was made with. */
  setLimits(limits: SandboxLimits): Promise<void>;
  stats(): Promise<SandboxStats>;
  /**
   * Stops every process inside where it stands: no CPU is used until `thaw`. `stats`, `kill` and `destroy` work on a frozen
   * sandbox. Idempotent. Takes effect without waiting for anything, so that freeze and thaw called in turn act in turn;
   * rejects when this host cannot freeze.
   */
  freeze(): Promise<void>;
  /** Lets a frozen sandbox run on where it stood. Idempotent, also on a sandbox that is gone. */
  thaw(): Promise<void>;
  /** Gives memory back that the kernel can take away without swapping (file pages); what is needed again is read again. */
  reclaim(): Promise<void>;
  /**
   * Runs one more process inside, confined like the others; on a sandbox that runs. Rejects when it cannot be tried; a command that
   * is not there is told on standard error. What it leaves running is killed when the session ends, and when the sandbox is
   * adopted by another agent.
   */
  exec(request: ExecRequest, listener: ExecListener): Promise<ExecSession>;
  /** Everything the processes inside write to descriptors 1 and 2, as raw chunks. */
  onOutput(listener: (chunk: Uint8Array) => void): void;
  /** Resolves once, when the main process is gone by itself or by `kill`. */
  readonly exited: Promise<SandboxExit>;
  /** Kills every process inside. */
  kill(reason: ExitReason): Promise<void>;
  /** Kills, then removes cgroup, mounts, network, files. Idempotent; nothing of the sandbox is left on the host. */
  destroy(): Promise<void>;
}

/** A sandbox whose process is named later, by `BareSandbox.begin`. */
export type BareSpec = Omit<SandboxSpec, 'process' | 'mounts'>;

/** A sandbox that is ready but for its process; ends by itself when whoever made it dies before `begin`. */
export interface BareSandbox {
  readonly handle: SandboxHandle;
  /**
   * Starts the process in the sandbox: what is promised of `SandboxRuntime.create` holds for it. Call `handle.specialise`
   * first where it must find its code. Once only; rejects when the sandbox has ended.
   */
  begin(process: SandboxProcess): Promise<void>;
}

export interface TierReport {
  readonly tier: SandboxTier;
  readonly available: boolean;
  /** Why not, and what to do; or what it will use (`runc 1.1.5, cgroup hybrid`). */
  readonly detail: string;
}

/**
 * Makes sandboxes. Promises: what `create` resolves is confined by the limits asked for, or it rejects (never a weaker
 * sandbox); a rejected create leaves nothing on the host; `adopt` gives back exactly those that still run and removes the
 * remains of those that do not.
 */
export interface SandboxRuntime {
  readonly tier: SandboxTier;
  create(spec: SandboxSpec): Promise<SandboxHandle>;
  /** Makes everything but the process ahead. Absent where the tier cannot. */
  readonly createBare?: ((spec: BareSpec) => Promise<BareSandbox>) | undefined;
  adopt(): Promise<readonly SandboxHandle[]>;
  /** Releases what the runtime itself holds (bridge, firewall table, ...). Sandboxes live on unless destroyed before. */
  close(options: { keepNetwork: boolean }): Promise<void>;
}
