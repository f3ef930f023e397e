import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { systemClock } from '../../src/adapters/clock-system/index.ts';
import { createFramesControlDialer, createFramesInstanceDialer } from '../../src/adapters/link-frames/index.ts';
import type { InstanceAnswer, InstanceCall, InstanceLink } from '../../src/core/ports/instance-link.ts';
import type { RuntimeControl } from '../../src/core/ports/runtime-control.ts';
import type { Load, Loaded } from '../../src/core/protocol/runtime-frames.ts';
import { versionSpec } from './version-spec.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

export const credentials = { accessKeyId: 'ak', accessKeySecret: 'sk', securityToken: 'st', expiresAt: 0 };

/** The commands that start a shim, by what is on this machine. */
export const NODE_COMMANDS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  [
    ['platform node', process.execPath],
    ['system node', '/usr/bin/node'],
  ]
    .filter(([, path]) => existsSync(path as string))
    .map(([name, path]) => [name as string, [path as string, join(ROOT, 'runtimes/node/shim.cjs')]]),
);
export const PYTHON_COMMAND = ['/usr/bin/python3', '-B', join(ROOT, 'runtimes/python/shim.py')];

/** A Unix socket that listens already, as the sandbox hands it to a runtime: descriptor for spawn's stdio. */
function listeningSocket(path: string): { fd: number; close(): void } {
  const libc = koffi.load('libc.so.6');
  const socket = libc.func('int socket(int, int, int)');
  const bind = libc.func('int bind(int, const void *, uint32)');
  const listen = libc.func('int listen(int, int)');
  const close = libc.func('int close(int)');
  const CLOEXEC = 0o2000000;
  const fd = socket(1, 1 | CLOEXEC, 0) as number;
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1, 0);
  address.write(path, 2);
  if (fd < 0 || bind(fd, address, 110) !== 0 || listen(fd, 64) !== 0) throw new Error(`cannot listen on ${path}`);
  return { fd, close: () => void close(fd) };
}

/** A shim that runs as a plain child process, with a code folder of its own. Dispose of it. */
export class StartedRuntime {
  readonly path: string;
  readonly codePath: string;
  readonly process: ChildProcess;
  readonly folder: string;
  /** What reached descriptors 1 and 2, as text. */
  rawOutput = '';
  private readonly open: { close(): void }[] = [];

  private constructor(folder: string, path: string, process: ChildProcess) {
    this.folder = folder;
    this.path = path;
    this.codePath = join(folder, 'code');
    this.process = process;
    process.stdout?.on('data', (chunk) => {
      this.rawOutput += chunk;
    });
    process.stderr?.on('data', (chunk) => {
      this.rawOutput += chunk;
    });
  }

  /** Starts a shim with `files` as its code folder. */
  static async start(command: readonly string[], files: Readonly<Record<string, string>>): Promise<StartedRuntime> {
    const folder = await mkdtemp(join(tmpdir(), 'rt-'));
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, 'code', name)), { recursive: true });
      await writeFile(join(folder, 'code', name), text);
    }
    await mkdir(join(folder, 'code'), { recursive: true });
    const path = join(folder, 's');
    const socket = listeningSocket(path);
    const child = spawn(command[0] as string, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe', socket.fd],
      env: {},
      cwd: '/',
    });
    socket.close();
    return new StartedRuntime(folder, path, child);
  }

  async control(epoch = 1): Promise<RuntimeControl> {
    const dialer = createFramesControlDialer({ clock: systemClock });
    const control = await dialer.dial({ kind: 'frames', path: this.path }, epoch, undefined);
    this.open.push(control);
    return control;
  }

  async link(epoch = 1, instanceConcurrency = 1): Promise<InstanceLink> {
    const dialer = createFramesInstanceDialer({ clock: systemClock });
    const link = await dialer.dial(
      { kind: 'frames', path: this.path },
      versionSpec('nodejs22', { instanceConcurrency }),
      epoch,
    );
    this.open.push(link);
    return link;
  }

  loadFrame(options: Partial<Load>): Load {
    const handler = options.handler ?? 'index.handler';
    return {
      runtime: 'nodejs22',
      concurrency: 1,
      handler,
      codePath: this.codePath,
      env: { FC_FUNCTION_NAME: 'hello', ...options.env },
      function: { name: 'hello', handler, memory: 128, timeout: 3 },
      service: { logProject: 'lp', logStore: 'ls', versionId: '7' },
      region: 'local',
      accountId: '1234567890123456',
      initializer: '',
      preStop: '',
      requestId: 'load-1',
      ...Object.fromEntries(Object.entries(options).filter(([name]) => name !== 'env')),
    };
  }

  async exited(): Promise<number | null> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return this.process.exitCode;
    return new Promise((resolve) => this.process.once('exit', (code) => resolve(code)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const item of this.open) item.close();
    this.process.kill('SIGKILL');
    await this.exited();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export interface LoadedRuntime extends AsyncDisposable {
  readonly runtime: StartedRuntime;
  readonly control: RuntimeControl;
  readonly link: InstanceLink;
  readonly loaded: Loaded;
  /** Language-level output outside calls so far. */
  readonly output: () => string;
}

/** Starts a shim, attaches agent and server, loads. */
export async function loadedRuntime(
  command: readonly string[],
  files: Readonly<Record<string, string>>,
  load: Partial<Load> = {},
): Promise<LoadedRuntime> {
  const runtime = await StartedRuntime.start(command, files);
  const control = await runtime.control();
  let output = '';
  control.onOutput((text) => {
    output += text;
  });
  const loaded = await control.load(runtime.loadFrame(load), 10_000);
  const link = await runtime.link(1, load.concurrency);
  return {
    runtime,
    control,
    link,
    loaded,
    output: () => output,
    [Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
  };
}

let calls = 0;

/** A call with sensible defaults. */
export function eventCall(payload: string | Uint8Array, options: Partial<InstanceCall> = {}): InstanceCall {
  calls += 1;
  return {
    requestId: `1-call-${calls}`,
    epoch: 1,
    qualifier: 'LATEST',
    retryCount: 0,
    deadline: Date.now() + 3000,
    credentials,
    input: { kind: 'event', payload: typeof payload === 'string' ? Buffer.from(payload) : payload },
    signal: new AbortController().signal,
    ...options,
  };
}

export async function bytesOf(answer: InstanceAnswer): Promise<Buffer> {
  if (answer.payload instanceof Uint8Array) return Buffer.from(answer.payload);
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.payload) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function textOf(answer: InstanceAnswer): Promise<string> {
  return (await bytesOf(answer)).toString();
}

/** One call with the text of its output and of its answer. */
export async function invokeText(
  link: InstanceLink,
  payload: string | Uint8Array = '',
  options: Partial<InstanceCall> = {},
): Promise<{ text: string; errorType: string | undefined; output: string; memoryMb: number | undefined }> {
  let output = '';
  const answer = await link.invoke(
    eventCall(payload, {
      onOutput: (text) => {
        output += text;
      },
      ...options,
    }),
  );
  return { text: await textOf(answer), errorType: answer.errorType, output, memoryMb: answer.memoryMb };
}
