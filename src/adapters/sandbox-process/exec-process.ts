import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { type ExecListener, ExecRefusedError, type ExecRequest, type ExecSession } from '../../core/ports/exec.ts';

/** Every process of a session carries this variable. */
const MARK = 'TIDEMILL_EXEC';
let count = 0;

/** Runs a command with the environment and folder of a plain-process sandbox. It has no terminals. */
export function execBeside(
  owner: { readonly id: string; readonly pid: number },
  request: ExecRequest,
  listener: ExecListener,
): Promise<ExecSession> {
  if (request.tty)
    return Promise.reject(new ExecRefusedError('Instances that are plain processes have no terminals: use tty=false'));
  const value = `${owner.id}.${process.pid}.${count++}`;
  const child = spawn(request.command[0] ?? '', request.command.slice(1), {
    cwd: `/proc/${owner.pid}/cwd`,
    env: { ...environmentOf(owner.pid), ...request.env, [MARK]: value },
    detached: true,
    stdio: [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(new ProcessExec(child, `${MARK}=${value}`, listener)));
  });
}

/** Kills what sessions of this sandbox have left. */
export function endSessions(id: string): void {
  endMarked(`${MARK}=${id}.`);
}

class ProcessExec implements ExecSession {
  private readonly child: ChildProcess;
  private readonly mark: string;
  private readonly sources: Readable[] = [];
  private over = false;

  constructor(child: ChildProcess, mark: string, listener: ExecListener) {
    this.child = child;
    this.mark = mark;
    child.stdin?.on('error', () => undefined);
    child.stdin?.on('drain', () => listener.drained());
    for (const [channel, source] of [[1, child.stdout] as const, [2, child.stderr] as const]) {
      if (source === null) continue;
      this.sources.push(source);
      source.on('data', (chunk: Buffer) => {
        if (!listener.output(channel, chunk)) for (const each of this.sources) each.pause();
      });
    }
    child.once('exit', () => endMarked(mark));
    child.once('close', (code, signal) => {
      this.over = true;
      listener.ended({ exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) });
    });
  }

  write(bytes: Uint8Array): boolean {
    const { stdin } = this.child;
    return stdin === null || stdin.destroyed || stdin.writableEnded || stdin.write(bytes);
  }

  end(): void {
    this.child.stdin?.end();
  }

  resume(): void {
    for (const source of this.sources) source.resume();
  }

  /** There is no terminal. */
  resize(): void {}

  close(): void {
    if (this.over) return;
    this.resume();
    this.child.kill('SIGKILL');
    endMarked(this.mark);
  }
}

function environmentOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

function endMarked(mark: string): void {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const lines = readFileSync(`/proc/${entry}/environ`, 'latin1').split('\0');
      if (lines.some((line) => (mark.endsWith('.') ? line.startsWith(mark) : line === mark))) {
        process.kill(Number(entry), 'SIGKILL');
      }
    } catch {
      // Not ours to read, or gone.
    }
  }
}
