import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { CustomDns } from '../../core/domain/function.ts';
import type { ExitReason } from '../../core/domain/instance.ts';
import type { ExecListener, ExecRequest, ExecSession } from '../../core/ports/exec.ts';
import type {
  SandboxExit,
  SandboxHandle,
  SandboxLimits,
  SandboxMount,
  SandboxStats,
} from '../../core/ports/sandbox.ts';
import { delay } from './delay.ts';
import { execInSandbox } from './exec-process.ts';
import type { ProcessWatch } from './exit-watch.ts';
import { exitCodeLeft } from './gvisor-link.ts';
import { resolvConf, writeResolvConf } from './name-service.ts';
import { OutputPipe } from './output-pipe.ts';
import type { SandboxParts } from './parts.ts';
import type { SandboxRecord } from './record.ts';
import { mountFolders, removeRemains } from './remains.ts';
import { attachReadOnly } from './syscalls.ts';

/** How long the end of a sandbox waits for the last of its output to be read. */
const LAST_OUTPUT_MS = 500;
const SIGKILL_CODE = 128 + 9;

/** A running sandbox of this installation, made by this process or found. */
export class OciSandbox implements SandboxHandle {
  readonly id: string;
  readonly socketPath: string | undefined;
  readonly host: string | undefined;
  readonly source: string | undefined;
  readonly pid: number;
  readonly exited: Promise<SandboxExit>;
  private readonly parts: SandboxParts;
  private readonly output: OutputPipe;
  private readonly watch: ProcessWatch;
  private readonly onGone: () => void;
  private record: SandboxRecord;
  private requested: ExitReason | undefined;
  private destroying: Promise<void> | undefined;

  private constructor(
    parts: SandboxParts,
    record: SandboxRecord & { readonly pid: number },
    output: OutputPipe,
    onGone: () => void,
  ) {
    this.parts = parts;
    this.record = record;
    this.output = output;
    this.onGone = onGone;
    this.id = record.id;
    this.pid = record.pid;
    const folder = parts.records.folderOf(record.id);
    this.socketPath = record.listen === 'frames' ? join(folder, 's') : undefined;
    this.host = record.listen === 'http' ? record.address : undefined;
    this.source = record.address;
    const end = Promise.withResolvers<SandboxExit>();
    this.exited = end.promise;
    const watch = parts.exits.watch(record.pid, (code) => void this.settle(code).then(end.resolve));
    if (watch === undefined) {
      void this.settle(undefined).then(end.resolve);
      this.watch = { kill() {}, check() {} };
      return;
    }
    this.watch = watch;
    void output.ended.then(() => this.expectEnd());
  }

  /**
   * Its output ends when its last process does: the quickest hint for one that is not our child. A process lets go of its
   * files a moment before it is dead, so the first look may come too early.
   */
  private async expectEnd(): Promise<void> {
    for (const pause of [0, 1, 2, 4, 8, 16]) {
      if (pause > 0) await delay(this.parts.clock, pause);
      this.watch.check();
    }
  }

  /** `output` must already read from the sandbox's FIFO. `onGone` runs when everything was removed. */
  static follow(
    parts: SandboxParts,
    record: SandboxRecord & { readonly pid: number },
    output: OutputPipe,
    onGone: () => void,
  ): OciSandbox {
    return new OciSandbox(parts, record, output, onGone);
  }

  async specialise(options: {
    mounts: readonly SandboxMount[];
    limits: SandboxLimits;
    internetAccess: boolean;
    account?: string;
    dns?: CustomDns;
  }): Promise<void> {
    if (this.record.specialised) throw new Error(`sandbox ${this.id} was specialised before`);
    const slot = this.record.slot;
    if (slot === undefined) throw new Error(`sandbox ${this.id} has no network`);
    this.record = { ...this.record, specialised: true };
    this.parts.records.write(this.record);
    this.parts.cgroups.setLimits(this.id, options.limits);
    this.parts.cgroups.verify(this.id, options.limits, this.pid);
    const folder = this.parts.records.folderOf(this.id);
    const gateway = this.parts.network.subnet.gateway;
    writeResolvConf(join(folder, 'etc'), resolvConf(options.dns, options.internetAccess, gateway));
    await this.parts.slots.setEgress(slot, options.internetAccess, options.account);
    showMounts(folder, options.mounts);
  }

  setLimits(limits: SandboxLimits): Promise<void> {
    return settled(() => this.parts.cgroups.setLimits(this.id, limits));
  }

  stats(): Promise<SandboxStats> {
    return Promise.resolve(this.parts.cgroups.stats(this.id));
  }

  freeze(): Promise<void> {
    return settled(() => this.parts.cgroups.setFrozen(this.id, true));
  }

  thaw(): Promise<void> {
    return settled(() => this.parts.cgroups.thaw(this.id));
  }

  reclaim(): Promise<void> {
    return settled(() => this.parts.cgroups.reclaim(this.id));
  }

  exec(request: ExecRequest, listener: ExecListener): Promise<ExecSession> {
    return execInSandbox(this.parts, this, request, listener);
  }

  onOutput(listener: (chunk: Uint8Array) => void): void {
    this.output.onOutput(listener);
  }

  async kill(reason: ExitReason): Promise<void> {
    // Killed because its connection broke: if that was the kernel's doing, the kernel's reason is the one to tell.
    if (reason !== 'killed' || this.parts.cgroups.oomKills(this.id) === 0) this.requested ??= reason;
    this.watch.kill();
    this.parts.cgroups.thaw(this.id);
    await this.exited;
  }

  destroy(): Promise<void> {
    this.destroying ??= this.remove().catch((error: unknown) => {
      // Whoever calls again tries again.
      this.destroying = undefined;
      throw error;
    });
    return this.destroying;
  }

  /** Stops looking after the sandbox and leaves it running, for whoever adopts it. */
  release(): void {
    this.output.close();
  }

  private async remove(): Promise<void> {
    await this.kill('stopped');
    this.output.close();
    if (this.parts.records.read(this.id) !== undefined) {
      this.record = { ...this.record, phase: 'leaving' };
      this.parts.records.write(this.record);
    }
    await removeRemains(this.parts, this.id);
    this.onGone();
  }

  /** Decides why it ended, once nothing of its output is outstanding. */
  private async settle(ended: number | undefined): Promise<SandboxExit> {
    const code = this.parts.command.name === 'runsc' ? this.codeInside(ended) : ended;
    const reason = this.reasonFor(code);
    if (!this.output.stalled) await Promise.race([this.output.ended, delay(this.parts.clock, LAST_OUTPUT_MS)]);
    return code === undefined ? { reason } : { reason, exitCode: code };
  }

  /** With runsc the process that ended is the kernel of the sandbox, whose own code says nothing about the function. */
  private codeInside(ended: number | undefined): number | undefined {
    const left = exitCodeLeft(this.parts.records.folderOf(this.id));
    return left ?? (ended === undefined ? undefined : SIGKILL_CODE);
  }

  private reasonFor(code: number | undefined): ExitReason {
    if (this.requested !== undefined) return this.requested;
    const killed = code === undefined || code === SIGKILL_CODE;
    return killed && this.parts.cgroups.oomKills(this.id) > 0 ? 'oom' : 'crash';
  }
}

/** Does it now; what is thrown is a rejection. */
function settled(work: () => void): Promise<void> {
  return new Promise((resolve) => {
    work();
    resolve();
  });
}

const READABLE_BY_ALL = 0o005;

/**
 * Shows folders at /code and /opt of the sandbox, read-only, whether it runs already or not. Functions are nobody's user on
 * this host: a folder they could not look into is refused here, where the reason can be told.
 */
export function showMounts(folder: string, mounts: readonly SandboxMount[]): void {
  const paths = mountFolders(folder);
  for (const mount of mounts) {
    if ((statSync(mount.source).mode & READABLE_BY_ALL) !== READABLE_BY_ALL) {
      throw new Error(`${mount.source} cannot be shown at ${mount.target}: not everybody may read it (mode o+rx)`);
    }
    attachReadOnly(mount.source, mount.target === '/code' ? paths.code : paths.opt);
  }
}
