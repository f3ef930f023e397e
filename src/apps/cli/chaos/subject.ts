import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Connection } from '../api/connection.ts';
import { EXIT, Failure } from '../failure.ts';

export type Role = 'up' | 'server' | 'agent';

interface Ready {
  readonly endpoint: string;
  readonly accountId: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly objects: { readonly endpoint: string };
}

export interface SubjectOptions {
  /** Command that starts the platform: `up` and its options are appended. */
  readonly program: readonly string[];
  readonly home: string;
  readonly data: string;
  readonly isolation: string;
  /** Path of libfaketime, when the clock is to be jumped. */
  readonly faketime: string | undefined;
}

const READY_MS = 60_000;
const END_MS = 60_000;

/** The platform under test: an installation of its own, killed and started again from outside. */
export class Subject {
  /** What its processes logged, of every run. */
  readonly log: string[] = [];
  private readonly options: SubjectOptions;
  private ports: readonly [number, number] | undefined;
  private child: ChildProcess | undefined;
  private ready: Ready | undefined;

  constructor(options: SubjectOptions) {
    this.options = options;
    mkdirSync(options.data, { recursive: true });
    this.setClock(0);
  }

  get connection(): Connection {
    if (this.ready === undefined) throw new Error('the platform has not been started');
    const { endpoint, accessKeyId, accessKeySecret, objects, accountId, region } = this.ready;
    const key = { id: accessKeyId, secret: accessKeySecret };
    return { endpoint, key, objectsEndpoint: objects.endpoint, accountId, region };
  }

  /** Starts it and resolves when it serves; on the same ports as before. */
  async start(): Promise<void> {
    this.ports ??= [await freePort(), await freePort()];
    const { program, data, isolation } = this.options;
    const [command = '', ...args] = program;
    const [api, objects] = this.ports.map(String) as [string, string];
    const up = ['up', '--data', data, '--port', api, '--objects-port', objects, '--isolation', isolation, '--json'];
    const child = spawn(command, [...args, ...up], { stdio: ['ignore', 'pipe', 'pipe'], env: this.environment() });
    this.child = child;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
      this.log.push(text);
    });
    this.ready = await new Promise<Ready>((resolve, reject) => {
      const fail = (why: string): void =>
        reject(
          new Failure(EXIT.failed, `the platform under test ${why}:\n${said}`, {
            code: 'NotServing',
            culprit: 'platform',
          }),
        );
      const timer = setTimeout(() => fail(`did not serve within ${READY_MS} ms`), READY_MS);
      child.once('exit', (code) => fail(`ended with ${code}`));
      createInterface({ input: child.stdout }).once('line', (line) => {
        clearTimeout(timer);
        resolve(JSON.parse(line) as Ready);
      });
    });
  }

  /** Ends it in order. Resolves with its exit code. */
  async end(): Promise<number> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return 0;
    const gone = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    const code = await gone;
    clearTimeout(timer);
    return code;
  }

  /** Process of a role; undefined while there is none. */
  pid(role: Role): number | undefined {
    if (role === 'up') return this.child?.exitCode === null ? this.child.pid : undefined;
    return this.processes().find(({ args }) => args.some((arg) => arg.includes(`/apps/${role}/main.`)))?.pid;
  }

  /** Kills our three processes at once and waits until they are gone; instances live on. */
  async killAll(): Promise<void> {
    const pids = (['up', 'server', 'agent'] as const).flatMap((role) => this.pid(role) ?? []);
    for (const pid of pids) signal(pid, 'SIGKILL');
    while (pids.some((pid) => isAlive(pid))) await pause(5);
  }

  /** What the platform believes the time to be, seconds ahead of this machine. */
  setClock(seconds: number): void {
    writeFileSync(join(this.options.home, 'clock'), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  /** Processes of functions, found by the file name that each function's code gives itself. */
  instances(): readonly number[] {
    return allProcesses().flatMap(({ pid, args }) => (args[0]?.startsWith('tm-chaos ') === true ? [pid] : []));
  }

  private processes(): { pid: number; args: string[] }[] {
    return allProcesses().filter(({ args, pid }) => args.includes(this.options.data) && isAlive(pid));
  }

  private environment(): Record<string, string> {
    const { home, faketime } = this.options;
    const PATH = process.env['PATH'] ?? '';
    const base = { PATH, HOME: home, XDG_CONFIG_HOME: join(home, 'config'), TIDEMILL_LOG: 'warn' };
    if (faketime === undefined) return base;
    const fake = {
      LD_PRELOAD: faketime,
      FAKETIME_TIMESTAMP_FILE: join(home, 'clock'),
      FAKETIME_NO_CACHE: '1',
      // Timers follow the monotonic clock, which no operator can turn.
      DONT_FAKE_MONOTONIC: '1',
    };
    return { ...base, ...fake, TIDEMILL_PASS_ENV: Object.keys(fake).join(',') };
  }
}

/** Sends a signal to a process that may have ended meanwhile. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function isAlive(pid: number): boolean {
  return /^State:\s+[^ZX]/m.test(read(`/proc/${pid}/status`));
}

function allProcesses(): { pid: number; args: string[] }[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const args = read(`/proc/${entry}/cmdline`).split('\0');
    return args[0] === '' ? [] : [{ pid: Number(entry), args }];
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
