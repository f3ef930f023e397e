import { closeSync } from 'node:fs';
import { becomeSubreaper, openPidfd, pidfdAlive, pidfdKill, reap } from './syscalls.ts';

const SIGKILL = 9;
const SWEEP_MS = 1_000;

interface Watched {
  readonly pid: number;
  readonly pidfd: number;
  gone(code: number | undefined): void;
}

/** One watched process; the signal goes to exactly that process, never to a later one with its id. */
export interface ProcessWatch {
  kill(): void;
  /** Looks now; for whoever has a hint that the process may be gone. */
  check(): void;
}

/**
 * Tells when main processes end. As the runtime command that started them is gone, this process adopts them
 * (subreaper): their end is a SIGCHLD, and their exit code can be collected. Those started by an earlier agent are no
 * children: the end of their output is the hint, and a sweep once a second catches what gives no hint.
 */
export class ExitWatch {
  private readonly watched = new Set<Watched>();
  private timer: NodeJS.Timeout | undefined;
  private readonly onChild = (): void => {
    for (const entry of this.watched) this.look(entry);
  };

  constructor() {
    becomeSubreaper();
    process.on('SIGCHLD', this.onChild);
  }

  /** `gone` is called once, later, with the exit code where it can be known. undefined: there is no such process. */
  watch(pid: number, gone: (code: number | undefined) => void): ProcessWatch | undefined {
    const pidfd = openPidfd(pid);
    if (pidfd === undefined) return undefined;
    const entry: Watched = { pid, pidfd, gone };
    this.watched.add(entry);
    this.timer ??= setInterval(this.onChild, SWEEP_MS).unref();
    // It may have ended before the watch began.
    setImmediate(() => this.look(entry));
    return {
      kill: () => {
        if (this.watched.has(entry)) pidfdKill(pidfd, SIGKILL);
      },
      check: () => this.look(entry),
    };
  }

  private look(entry: Watched): void {
    if (!this.watched.has(entry) || pidfdAlive(entry.pidfd)) return;
    this.watched.delete(entry);
    const code = reap(entry.pid);
    closeSync(entry.pidfd);
    if (this.watched.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    entry.gone(typeof code === 'number' ? code : undefined);
  }

  dispose(): void {
    process.off('SIGCHLD', this.onChild);
    clearInterval(this.timer);
    for (const entry of this.watched) closeSync(entry.pidfd);
    this.watched.clear();
  }
}
