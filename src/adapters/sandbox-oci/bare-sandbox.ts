import { accessSync, closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../core/base/clock.ts';
import type { BareSandbox, SandboxHandle, SandboxProcess } from '../../core/ports/sandbox.ts';
import { delay } from './delay.ts';
import { INSTANCE_ETC } from './root-skeleton.ts';
import { mkfifo } from './syscalls.ts';

const NAME = 'begin';
const ENV = '/usr/bin/env';
const ARRIVAL_TIMEOUT_MS = 10_000;
const LOOK_MS = 2;
/** What a pipe takes in one write without waiting for its reader. */
const PIPE_BYTES = 65_536;
const DEFAULTS = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp' };

/** The process of a bare sandbox: a shell that reads from a pipe what it is to become, and ends when nobody tells it. */
export const WAITING: SandboxProcess = { args: ['/bin/sh', '-c', `. ${INSTANCE_ETC}/${NAME}`], env: {}, cwd: '/' };

/** Why processes cannot be named later on this host; undefined when they can. */
export function bareRefused(): string | undefined {
  try {
    accessSync(ENV, constants.X_OK);
    return undefined;
  } catch {
    return `${ENV} is missing`;
  }
}

/** Makes the pipe in the folder that the sandbox sees at INSTANCE_ETC; before the sandbox is started. */
export function makeWaitingPipe(etcPath: string): void {
  // Readable by the sandbox, writable by us alone.
  mkfifo(join(etcPath, NAME), 0o644);
}

/**
 * Resolves once the shell inside waits. The pipe stays open until `begin`: should this process die, the shell reads the end
 * of it and the sandbox ends.
 */
export async function whenWaiting(clock: Clock, handle: SandboxHandle, etcPath: string): Promise<BareSandbox> {
  const pipe = join(etcPath, NAME);
  const deadline = clock.monotonic() + ARRIVAL_TIMEOUT_MS;
  let ended = false;
  void handle.exited.then(() => {
    ended = true;
  });
  let writer = openForWriting(pipe);
  while (writer === undefined) {
    if (ended || clock.monotonic() > deadline) throw new Error(`the shell of sandbox ${handle.id} does not wait`);
    await delay(clock, LOOK_MS);
    writer = openForWriting(pipe);
  }
  let open: number | undefined = writer;
  const close = (): void => {
    if (open === undefined) return;
    closeSync(open);
    open = undefined;
  };
  void handle.exited.then(close);
  return {
    handle,
    begin(process) {
      return new Promise((resolve) => {
        if (open === undefined) throw new Error(`sandbox ${handle.id} cannot begin: it has ended or begun`);
        const script = beginScript(process);
        if (script.length > PIPE_BYTES) throw new Error(`command and environment have ${script.length} bytes`);
        // The shell has it open: nobody needs its name any more, and the process is not to find it.
        rmSync(pipe, { force: true });
        try {
          writeSync(open, script);
        } finally {
          close();
        }
        resolve();
      });
    },
  };
}

/** Undefined while nobody reads. */
function openForWriting(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return undefined;
    throw error;
  }
}

/** What the shell reads: it becomes the process, with exactly the given environment. Pure. */
export function beginScript(process: SandboxProcess): Buffer {
  const env = Object.entries({ ...DEFAULTS, ...process.env }).map(([name, value]) => `${name}=${value}`);
  const words = [ENV, '-i', ...env, ...process.args].map(quoted).join(' ');
  return Buffer.from(`cd ${quoted(process.cwd)} && exec ${words}\n`);
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
