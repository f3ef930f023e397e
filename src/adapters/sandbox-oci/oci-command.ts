import { spawn } from 'node:child_process';
import { accessSync, constants, openSync, closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import type { RunscCall } from './runsc.ts';

export type OciName = 'crun' | 'runc' | 'runsc';

/** A runtime command that was found on this host. */
export interface OciCommand {
  readonly name: OciName;
  readonly file: string;
  /** First line of what `--version` says. */
  readonly version: string;
  /** How it is called, where that is not plainly by its name. */
  readonly call?: RunscCall;
}

/** File and arguments of a call of this command. */
export function callOf(command: OciCommand, args: readonly string[]): readonly [string, readonly string[]] {
  if (command.call === undefined) return [command.file, args];
  const [file = command.file, ...prefix] = command.call.prefix;
  return [file, [...prefix, command.file, ...command.call.flags, ...args]];
}

const PATHS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const START_TIMEOUT_MS = 30_000;
const ERROR_BYTES = 2_000;

/** Looks for the command in these folders; undefined when it is not there. Never hangs. */
export async function findCommand(name: OciName, folders: readonly string[] = PATHS): Promise<OciCommand | undefined> {
  for (const folder of folders) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
    } catch {
      continue;
    }
    const answer = await runCommand(file, ['--version'], { timeoutMs: 5_000 });
    return { name, file, version: answer.output.split('\n')[0] ?? name };
  }
  return undefined;
}

export interface StartInput {
  readonly id: string;
  /** Folder of the runtime's own state. */
  readonly stateDir: string;
  /** Folder with config.json; pid file and log are written there. */
  readonly bundle: string;
  /** Descriptors 1 and 2 of the process. */
  readonly output: number;
  /** Descriptor 3 of the process. */
  readonly listener: number | undefined;
}

/** Runs the bundle detached; resolves with the main process's id once it has been started. */
export function startBundle(command: OciCommand, input: StartInput): Promise<number> {
  const pidFile = join(input.bundle, 'pid');
  const logFile = join(input.bundle, 'oci.log');
  const args = [
    // runsc names its files after the sandbox, two for each: a folder of its own is what can be removed whole.
    ...[
      '--root',
      command.name === 'runsc' ? join(input.stateDir, input.id) : input.stateDir,
      '--log',
      logFile,
      '--log-format',
      'json',
    ],
    ...['run', '--detach', '--pid-file', pidFile, '--bundle', input.bundle],
    ...(input.listener === undefined ? [] : ['--preserve-fds', '1']),
    input.id,
  ];
  const empty = openSync('/dev/null', 'r');
  return new Promise((resolve, reject) => {
    const [file, words] = callOf(command, args);
    const child = spawn(file, words, {
      stdio: [empty, input.output, input.output, ...(input.listener === undefined ? [] : [input.listener])],
      // A session of its own: a signal to the agent's group does not tear a start apart.
      detached: true,
      env: { PATH: PATHS.join(':') },
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(Number(readFileSync(pidFile, 'utf8')));
      else reject(new Error(`${command.name} could not start ${input.id}: ${failureIn(logFile) ?? `code ${code}`}`));
    });
  }).finally(() => closeSync(empty)) as Promise<number>;
}

/** The runtime's own explanation, from its log; undefined when it left none. */
export function failureIn(logFile: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(logFile, 'utf8').trim();
  } catch {
    return undefined;
  }
  const messages: string[] = [];
  for (const line of text.split('\n')) {
    try {
      const entry = JSON.parse(line) as { msg?: string; level?: string };
      if (entry.level !== 'debug' && entry.level !== 'info' && entry.msg !== undefined) messages.push(entry.msg);
    } catch {
      if (line !== '') messages.push(line);
    }
  }
  return messages.length === 0 ? undefined : messages.join('; ').slice(0, ERROR_BYTES);
}
