import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import type { ExitReason } from '../../core/domain/instance.ts';
import type { ExecListener, ExecRequest, ExecSession } from '../../core/ports/exec.ts';
import type { SandboxExit, SandboxHandle, SandboxMount, SandboxStats } from '../../core/ports/sandbox.ts';
import { endSessions, execBeside } from './exec-process.ts';
import { realPath } from './paths.ts';
import { startTimeOf, usageOf } from './process-table.ts';
import type { ProcessRecord, ProcessRecords } from './record.ts';

const EARLY_BYTES = 64 * 1024;
const LAST_OUTPUT_MS = 500;
const SWEEP_MS = 200;

export interface ProcessParts {
  readonly records: ProcessRecords;
  readonly clock: Clock;
  onGone(id: string): void;
}

export type RunningRecord = ProcessRecord & { readonly pid: number; readonly startTime: string };

/** A process group that acts as a sandbox but confines nothing. */
export class ProcessSandbox implements SandboxHandle {
  readonly id: string;
  readonly pid: number;
  readonly socketPath: string | undefined;
  readonly host: string | undefined;
  readonly exited: Promise<SandboxExit>;
  private readonly parts: ProcessParts;
  private readonly isChild: boolean;
  private readonly pipe: Socket;
  private readonly pipeEnded: Promise<void>;
  private readonly end = Promise.withResolvers<SandboxExit>();
  private readonly listeners: ((chunk: Uint8Array) => void)[] = [];
  private readonly sweep: NodeJS.Timeout;
  private early: Buffer[] = [];
  private record: RunningRecord;
  private requested: ExitReason | undefined;
  private over = false;

  /**
   * The FIFO must have a writer already. `isChild`: this process started it, and will say how it ended by `childExited`;
   * the end of any other is looked for.
   */
  constructor(parts: ProcessParts, record: RunningRecord, isChild: boolean) {
    this.parts = parts;
    this.isChild = isChild;
    this.record = record;
    this.id = record.id;
    this.pid = record.pid;
    const folder = parts.records.folderOf(record.id);
    this.socketPath = record.listen === 'frames' ? join(folder, 's') : undefined;
    this.host = record.listen === 'http' ? '127.0.0.1' : undefined;
    this.exited = this.end.promise;
    const fd = openSync(join(folder, 'out'), constants.O_RDONLY | constants.O_NONBLOCK);
    this.pipe = new Socket({ fd, readable: true, writable: false });
    this.pipe.on('error', () => this.pipe.destroy());
    this.pipe.on('data', (chunk: Buffer) => this.take(chunk));
    this.pipeEnded = new Promise((resolve) => this.pipe.once('close', () => resolve()));
    // The end of the output is the quickest hint for a process that is not our child; the sweep catches the rest.
    void this.pipeEnded.then(() => this.look());
    this.sweep = setInterval(() => this.look(), SWEEP_MS).unref();
  }

  /** For the process's parent, which alone learns the exit code. */
  childExited(code: number | null, signal: number): void {
    void this.settle(code ?? 128 + signal);
  }

  pathOf(target: string): string {
    return realPath(target, this.record.shown);
  }

  specialise(options: { mounts: readonly SandboxMount[] }): Promise<void> {
    if (this.record.specialised) return Promise.reject(new Error(`sandbox ${this.id} was specialised before`));
    this.record = { ...this.record, specialised: true, shown: [...this.record.shown, ...options.mounts] };
    this.parts.records.write(this.record);
    return Promise.resolve();
  }

  /** Plain processes have no limits to change. */
  setLimits(): Promise<void> {
    return Promise.resolve();
  }

  stats(): Promise<SandboxStats> {
    return Promise.resolve(usageOf(this.pid));
  }

  freeze(): Promise<void> {
    this.signalGroup('SIGSTOP');
    return Promise.resolve();
  }

  thaw(): Promise<void> {
    this.signalGroup('SIGCONT');
    return Promise.resolve();
  }

  /** A plain process has no control group whose pages could be taken. */
  reclaim(): Promise<void> {
    return Promise.resolve();
  }

  exec(request: ExecRequest, listener: ExecListener): Promise<ExecSession> {
    return execBeside(this, request, listener);
  }

  onOutput(listener: (chunk: Uint8Array) => void): void {
    this.listeners.push(listener);
    for (const chunk of this.early.splice(0)) listener(chunk);
    this.pipe.resume();
  }

  async kill(reason: ExitReason): Promise<void> {
    this.requested ??= reason;
    this.signalGroup('SIGKILL');
    await this.exited;
  }

  async destroy(): Promise<void> {
    await this.kill('stopped');
    this.release();
    this.parts.records.remove(this.id);
    this.parts.onGone(this.id);
  }

  /** Stops looking after it; it runs on. */
  release(): void {
    clearInterval(this.sweep);
    this.pipe.destroy();
  }

  private take(chunk: Buffer): void {
    for (const listener of this.listeners) listener(chunk);
    if (this.listeners.length > 0) return;
    this.early.push(chunk);
    if (this.early.reduce((sum, each) => sum + each.length, 0) >= EARLY_BYTES) this.pipe.pause();
  }

  private look(): void {
    if (!this.isChild && !this.over && startTimeOf(this.pid) !== this.record.startTime) void this.settle(undefined);
  }

  private async settle(code: number | undefined): Promise<void> {
    if (this.over) return;
    this.over = true;
    clearInterval(this.sweep);
    this.signalGroup('SIGKILL');
    const patience = Promise.withResolvers<void>();
    const timer = this.parts.clock.after(LAST_OUTPUT_MS, patience.resolve);
    if (this.listeners.length > 0 || !this.pipe.isPaused()) await Promise.race([this.pipeEnded, patience.promise]);
    timer.dispose();
    const reason = this.requested ?? 'crash';
    endSessions(this.id);
    this.end.resolve(code === undefined ? { reason } : { reason, exitCode: code });
  }

  private signalGroup(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }
}
