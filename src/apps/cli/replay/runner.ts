import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { usage } from '../failure.ts';

const RUNTIMES = join(import.meta.dirname, '../../../../runtimes');
const PYTHON = '/usr/bin/python3';

export interface Runner {
  readonly args: readonly string[];
  /** Set when this is not what the platform runs: said to the user. */
  readonly note?: string;
}

/** How the runtime of a function is started here. Throws a usage Failure for runtimes that cannot run outside of an instance. */
export function runnerOf(runtime: string, debug: boolean, root = RUNTIMES): Runner {
  if (runtime.startsWith('nodejs')) {
    const major = runtime.slice('nodejs'.length);
    const own = join(root, 'node/versions', major, `node_modules/node-linux-${process.arch}/bin/node`);
    const flags = debug ? ['--inspect-brk=127.0.0.1:0'] : [];
    const found = existsSync(own);
    return {
      args: [found ? own : process.execPath, ...flags, join(root, 'node/shim.cjs')],
      ...(found ? {} : { note: `Node.js ${major} is not set up here: this runs on Node.js ${process.versions.node}` }),
    };
  }
  if (runtime.startsWith('python') && existsSync(PYTHON)) {
    const entry = join(root, 'python', debug ? 'debug.py' : 'shim.py');
    return { args: [PYTHON, '-B', entry], note: `${runtime} is this machine's Python, as on the platform` };
  }
  throw usage(
    `functions of runtime ${runtime} cannot be replayed here`,
    'Replay it on the server: --version V or --alias A.',
  );
}

/** Starts it on a listening socket; its terminal is ours. The caller kills it. */
export function startRunner(args: readonly string[], fd: number, env: Readonly<Record<string, string>>): ChildProcess {
  const [program = '', ...rest] = args;
  // What functions print comes as frames; on descriptor 1 may only come what a debugger or a child of theirs says: stdout is the answer's.
  return spawn(program, rest, { stdio: ['inherit', 2, 2, fd], env, cwd: '/' });
}

/** Kills the runtime and waits for its end. */
export async function stopRunner(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
