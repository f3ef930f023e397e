import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { type ExecListener, ExecRefusedError, type ExecRequest, type ExecSession } from '../../core/ports/exec.ts';
import type { SandboxParts } from './parts.ts';
import { reap } from './syscalls.ts';
import { openTerminal, resizeTerminal } from './terminal.ts';

const PREFIX = 'exec-';
/** The runtime command gets this long to notice that what it waits for is gone. */
const PATIENCE_MS = 5_000;
let count = 0;

/**
 * Starts a process inside a running sandbox. Its description is that of the sandbox's own: same user, filter, limits, groups. Its
 * processes are in a group of their own inside the sandbox's, by which they are found when the session ends.
 */
export async function execInSandbox(
  parts: SandboxParts,
  sandbox: { readonly id: string; readonly pid: number },
  request: ExecRequest,
  listener: ExecListener,
): Promise<ExecSession> {
  const { id, pid } = sandbox;
  if (parts.command.name !== 'runc') {
    throw new ExecRefusedError(`Sandboxes of ${parts.command.name} take no sessions: this needs runc`);
  }
  const name = `${PREFIX}${process.pid}-${count++}`;
  const folder = join(parts.records.folderOf(id), name);
  const end = async (): Promise<ReadonlySet<number>> => {
    try {
      return await parts.cgroups.closeInner(id, name);
    } catch (error) {
      parts.logger.log('error', 'a session could not be ended', { sandbox: id, error: String(error) });
      return new Set();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  try {
    const description = writeDescription(parts, id, folder, request);
    const group = parts.cgroups.openInner(id, name);
    const terminal = request.tty ? openTerminal(request.columns, request.rows) : undefined;
    // The network namespace belongs to the host's users: it has to be entered before the sandbox's user namespace is.
    const inside = ['exec', '--process', description, '--cgroup', group, id];
    const child = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, parts.command.file, '--root', folder, ...inside], {
      stdio:
        terminal === undefined
          ? [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe']
          : [terminal.slave, terminal.slave, terminal.slave],
      detached: true,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    if (terminal !== undefined) closeSync(terminal.slave);
    const master = terminal === undefined ? undefined : new ReadStream(terminal.master);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        master?.destroy();
        reject(error);
      });
    });
    return new OciExec(child, master, terminal?.master, listener, end);
  } catch (error) {
    await end();
    throw error;
  }
}

/** Ends what sessions of an agent that is gone have left in a sandbox. */
export async function endOldSessions(parts: SandboxParts, id: string): Promise<void> {
  for (const name of parts.cgroups.innerNames(id)) {
    if (!name.startsWith(PREFIX)) continue;
    // A frozen group of version 1 does not die. Whoever adopts the sandbox lets it run anyway.
    parts.cgroups.thaw(id);
    await parts.cgroups.closeInner(id, name);
  }
  const folder = parts.records.folderOf(id);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(PREFIX)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** What runc needs to know, in a folder of this session: its state without the network, which is entered before. */
function writeDescription(parts: SandboxParts, id: string, folder: string, request: ExecRequest): string {
  mkdirSync(join(folder, id), { recursive: true, mode: 0o700 });
  const state = JSON.parse(readFileSync(join(parts.stateDir, id, 'state.json'), 'utf8')) as RuncState;
  const namespaces = state.config.namespaces.filter(({ type }) => type !== 'NEWNET');
  if (namespaces.length === state.config.namespaces.length) throw new Error(`sandbox ${id} has no network namespace`);
  const changed = { ...state, config: { ...state.config, namespaces } };
  writeFileSync(join(folder, id, 'state.json'), JSON.stringify(changed), { mode: 0o600 });
  const description = join(folder, 'process.json');
  const bundle = join(parts.records.folderOf(id), 'config.json');
  writeFileSync(description, JSON.stringify(processOf(bundle, request)), { mode: 0o600 });
  return description;
}

/** The part of runc's state that is ours to change. */
interface RuncState {
  readonly config: { readonly namespaces: readonly { readonly type: string }[] };
}

class OciExec implements ExecSession {
  private readonly child: ChildProcess;
  private readonly sources: Readable[] = [];
  private readonly input: Writable | null;
  private readonly master: number | undefined;
  private readonly finish: () => Promise<ReadonlySet<number>>;
  private ending: Promise<ReadonlySet<number>> | undefined;
  private patience: NodeJS.Timeout | undefined;
  private over = false;

  constructor(
    child: ChildProcess,
    terminal: ReadStream | undefined,
    master: number | undefined,
    listener: ExecListener,
    finish: () => Promise<ReadonlySet<number>>,
  ) {
    this.child = child;
    this.master = master;
    this.finish = finish;
    this.input = terminal ?? child.stdin;
    this.input?.on('error', () => undefined);
    this.input?.on('drain', () => listener.drained());
    if (terminal !== undefined) this.read(1, terminal, listener);
    if (child.stdout !== null) this.read(1, child.stdout, listener);
    if (child.stderr !== null) this.read(2, child.stderr, listener);
    const closed = terminal === undefined ? undefined : new Promise((resolve) => terminal.once('close', resolve));
    let result: number | undefined;
    child.once('exit', (code, signal) => {
      result = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
      clearTimeout(this.patience);
      // What it has left running may hold its output open.
      void this.wipe().then(collectOrphans);
    });
    child.once('close', () => {
      void Promise.all([closed, this.wipe()]).then(() => {
        this.over = true;
        clearTimeout(this.patience);
        listener.ended(result === undefined ? {} : { exitCode: result });
      });
    });
  }

  private read(channel: 1 | 2, source: Readable, listener: ExecListener): void {
    this.sources.push(source);
    source.on('data', (chunk: Buffer) => {
      if (!listener.output(channel, chunk)) for (const each of this.sources) each.pause();
    });
    // A terminal whose last user has gone answers EIO: that is its end.
    source.on('error', () => source.destroy());
    source.on('end', () => source.destroy());
    source.resume();
  }

  write(bytes: Uint8Array): boolean {
    return this.input === null || this.input.destroyed || this.input.writableEnded || this.input.write(bytes);
  }

  end(): void {
    // What a terminal takes for the end of input is a character.
    if (this.master !== undefined) this.write(Buffer.from([4]));
    else this.input?.end();
  }

  resume(): void {
    for (const source of this.sources) if (!source.destroyed) source.resume();
  }

  resize(columns: number, rows: number): void {
    if (this.master === undefined || this.over || this.input?.destroyed === true) return;
    resizeTerminal(this.master, columns, rows);
    // The runtime command does not have it as its controlling terminal, so the kernel does not tell it.
    this.child.kill('SIGWINCH');
  }

  /** Its processes are killed; then the runtime command, which waits for the first of them, ends and all is told as ever. */
  close(): void {
    if (this.over) return;
    this.resume();
    // Not killed at once: what it has half started would lose the parent that collects it.
    void this.wipe().then(() => {
      if (!this.over) this.patience ??= setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    });
  }

  private wipe(): Promise<ReadonlySet<number>> {
    this.ending ??= this.finish();
    return this.ending;
  }
}

interface OciProcess {
  readonly env: readonly string[];
}

/** The main process's own description with another command: no right is added or taken away. */
function processOf(configFile: string, request: ExecRequest): object {
  const { process: own } = JSON.parse(readFileSync(configFile, 'utf8')) as { process: OciProcess };
  const env = new Map(own.env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  for (const [name, value] of Object.entries(request.env)) env.set(name, value);
  if (request.tty) env.set('TERM', 'xterm-256color');
  return {
    ...own,
    terminal: request.tty,
    ...(request.tty ? { consoleSize: { width: request.columns, height: request.rows } } : {}),
    args: request.command,
    env: [...env].map(([name, value]) => `${name}=${value}`),
    cwd: '/code',
  };
}

/**
 * Collects processes that became ours because the runtime command ended before them. Until somebody does, the sandbox's first process
 * cannot end: the kernel lets it wait for everything in its namespace.
 */
function collectOrphans(killed: ReadonlySet<number>): void {
  const orphans = new Set(killed);
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // Stages of a start that never came to run the command; ours by name are only those that lost their parent.
      if (state === 'Z' && Number(parent) === process.pid && stat.includes('(runc:[')) orphans.add(Number(entry));
    } catch {
      // It ended in between.
    }
  }
  for (const pid of orphans) reap(pid);
}
