import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { findLeaks } from '../../tools/leakcheck.ts';
import type { Platform } from '../start.ts';

export type Role = 'supervisor' | 'server' | 'agent';

/** A line that a process of the platform wrote to its log. */
export interface LogLine {
  readonly process: string;
  readonly message: string;
  readonly [name: string]: unknown;
}

/** How `tidemill up` ended, and after how long. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly ms: number;
}

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'tidemill.mjs');
const READY_MS = 60_000;
const LOOK_MS = 20;

/**
 * A data folder of its own and the `tidemill up` that serves it, to be killed and started again. Looks at the platform only
 * from the outside: its processes, its addresses, what it leaves on the host.
 */
export class Installation {
  readonly data: string;
  /** What the processes logged so far, of every run. */
  readonly log: LogLine[] = [];
  private readonly home: string;
  private child: ChildProcess | undefined;
  private running: Platform | undefined;
  private tag: string | undefined;
  private ports: readonly [string, string] | undefined;

  private readonly further: readonly string[];

  private constructor(data: string, home: string, further: readonly string[]) {
    this.data = data;
    this.home = home;
    this.further = further;
  }

  /** `further` are more arguments of `tidemill up`. */
  static async create(further: readonly string[] = []): Promise<Installation> {
    const home = await mkdtemp(join(tmpdir(), 'tidemill-restart-'));
    return new Installation(join(realpathSync(home), 'data'), home, further);
  }

  /** A fresh installation that serves. */
  static async serving(further: readonly string[] = []): Promise<Installation> {
    const installation = await Installation.create(further);
    await installation.start();
    return installation;
  }

  get platform(): Platform {
    if (this.running === undefined) throw new Error('the platform does not run');
    return this.running;
  }

  /** Starts `tidemill up` and resolves when it says that it serves. After the first time on the same port. */
  async start(): Promise<void> {
    this.ports ??= await freePorts();
    const child = this.spawnUp(this.ports);
    this.child = child;
    const ready = await firstLine(child, this.log);
    this.running = {
      endpoint: ready.endpoint,
      objectsEndpoint: ready.objects.endpoint,
      accessKeyId: ready.accessKeyId,
      accessKeySecret: ready.accessKeySecret,
      pid: child.pid,
      close: async () => {},
    };
    this.tag = /"tag":"([0-9a-f]{6})"/.exec(readFileSync(join(this.runDir, 'network.json'), 'utf8'))?.[1];
  }

  /** Another `tidemill up` on the same data folder: how it ends and what it says. */
  async startAnother(): Promise<{ code: number | null; said: string }> {
    const child = this.spawnUp(['0', '0']);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    await new Promise((resolve) => child.once('close', resolve));
    const [code] = await exitOf(child);
    return { code, said };
  }

  /** Sends the supervisor a signal and waits for its end. */
  async end(signal: NodeJS.Signals): Promise<End> {
    const { child } = this;
    if (child === undefined) throw new Error('nothing was started');
    const begin = performance.now();
    const exited = exitOf(child);
    child.kill(signal);
    const [code, by] = await exited;
    return { code, signal: by, ms: performance.now() - begin };
  }

  /** Kills all processes of the platform at once, instances apart. */
  async killAll(): Promise<void> {
    const pids = (['supervisor', 'server', 'agent'] as const).flatMap((role) => this.pid(role) ?? []);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until('all processes are gone', () => pids.every((pid) => !alive(pid)));
  }

  /** The process of a role, if it runs now. */
  pid(role: Role): number | undefined {
    if (role === 'supervisor') return this.child?.exitCode === null ? this.child.pid : undefined;
    return processes().find(({ pid, args }) => {
      const entry = args.find((arg) => arg.includes(`/apps/${role}/main.`));
      return entry !== undefined && args.includes(this.data) && alive(pid);
    })?.pid;
  }

  /** Kills the process of a role and gives its id. */
  kill(role: Role): number {
    const pid = this.pid(role);
    if (pid === undefined) throw new Error(`there is no ${role}`);
    process.kill(pid, 'SIGKILL');
    return pid;
  }

  /** Resolves with the process that took the place of `before`. */
  async successor(role: Role, before: number): Promise<number> {
    return until(`another ${role} runs`, () => {
      const pid = this.pid(role);
      return pid !== undefined && pid !== before ? pid : undefined;
    });
  }

  /** Host processes inside the sandboxes of this installation. */
  sandboxed(): readonly { readonly pid: number; readonly title: string; readonly inner: number }[] {
    const group = `/tidemill/${this.tag}/`;
    return processes().flatMap(({ pid, args }) => {
      if (!read(`/proc/${pid}/cgroup`).includes(group)) return [];
      const inner = /^NSpid:.*\t(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1];
      return [{ pid, title: args.join(' '), inner: Number(inner ?? 0) }];
    });
  }

  /** The control group of a sandboxed process: the same for all processes of one sandbox. */
  sandboxOf(pid: number): string | undefined {
    return new RegExp(`/tidemill/${this.tag}/([^/\\n]+)`).exec(read(`/proc/${pid}/cgroup`))?.[1];
  }

  /** How often each server said that it serves, with its epoch. */
  epochs(): number[] {
    return this.log.flatMap((line) => (line.message === 'serving' ? Number(line['epoch']) : []));
  }

  get runDir(): string {
    const name = createHash('sha256').update(this.data).digest('hex').slice(0, 8);
    const folders = [join('/run/tidemill', name), join(tmpdir(), 'tidemill', name)];
    return folders.find((folder) => existsSync(folder)) ?? folders[0] ?? '';
  }

  /** What of this installation is still on the host: one line each. */
  async leftovers(): Promise<readonly string[]> {
    const { data, runDir, tag } = this;
    const found = [...(await findLeaks({ runDir, ...(tag === undefined ? {} : { tag }) }))];
    for (const { pid, args } of processes()) if (args.includes(data)) found.push(`process ${pid}: ${args.join(' ')}`);
    for (const line of read('/proc/self/mountinfo').split('\n')) if (line.includes(data)) found.push(`mount ${line}`);
    for (const name of readdirSync('/sys/block')) {
      const backing = read(`/sys/block/${name}/loop/backing_file`).trim();
      if (backing.startsWith(data)) found.push(`loop device ${name}: ${backing}`);
    }
    const disks = join(data, 'disks');
    if (existsSync(disks)) found.push(...readdirSync(disks).map((name) => `disk image ${name}`));
    return found;
  }

  /** Ends whatever still runs and removes the data; for the end of a file. Throws when something stays on the host. */
  async close(): Promise<void> {
    if (this.pid('supervisor') !== undefined) await this.end('SIGTERM');
    for (const role of ['server', 'agent'] as const) {
      const pid = this.pid(role);
      if (pid === undefined) continue;
      process.kill(pid, 'SIGTERM');
      await until(`the ${role} is gone`, () => !alive(pid));
    }
    const left = await this.leftovers();
    await rm(this.home, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}`);
  }

  private spawnUp([api, objects]: readonly [string, string]): ChildProcess {
    const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
    const ports = ['--port', api, '--objects-port', objects];
    return spawn(process.execPath, [PROGRAM, 'up', '--data', this.data, ...ports, ...this.further, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, XDG_CONFIG_HOME: join(this.home, 'config'), TIDEMILL_LOG: 'info' },
    });
  }
}

/** Looks until `probe` gives something, and gives that; the limit is there to name what never came. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await pause(LOOK_MS);
  }
}

/**
 * Two ports to come back to. Below those that the kernel hands out: between two runs of a platform they must not be given
 * to somebody else.
 */
async function freePorts(): Promise<readonly [string, string]> {
  for (;;) {
    const port = 20_000 + 2 * Math.floor(Math.random() * 6_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return [String(port), String(port + 1)];
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** True while the process runs; one that waits to be collected has ended. */
export function alive(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== '' && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

interface Ready {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly objects: { readonly endpoint: string };
}

function firstLine(child: ChildProcess, log: LogLine[]): Promise<Ready> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null || child.stderr === null) throw new Error('the child has no pipes');
    let stderr = '';
    const timer = setTimeout(() => reject(new Error(`not ready after ${READY_MS} ms\n${stderr}`)), READY_MS);
    createInterface({ input: child.stderr }).on('line', (line) => {
      stderr = `${stderr}${line}\n`.slice(-8000);
      if (process.env['TIDEMILL_TEST_LOG'] !== undefined) console.error(line);
      if (line.startsWith('{')) log.push(JSON.parse(line) as LogLine);
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`tidemill up ended with ${code}\n${stderr}`));
    });
    createInterface({ input: child.stdout }).once('line', (line) => {
      clearTimeout(timer);
      resolve(JSON.parse(line) as Ready);
    });
  });
}

function exitOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve([child.exitCode, child.signalCode]);
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve([code, signal])));
}

function processes(): { pid: number; args: string[] }[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const args = read(`/proc/${entry}/cmdline`).split('\0');
    return args.length > 1 || args[0] !== '' ? [{ pid: Number(entry), args }] : [];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}
