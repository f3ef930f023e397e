import { getSystemErrorMessage } from 'node:util';
import type { CustomRuntimeConfig } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { StartFailure } from '../../core/ports/node-pool.ts';
import type { SandboxExit } from '../../core/ports/sandbox.ts';
import type { ErrorPayload } from '../../core/protocol/runtime-frames.ts';

/** A start that cannot go on. `startLog` is added by whoever collects the output. */
export class StartFailedError extends Error {
  override readonly name = 'StartFailedError';
  readonly failure: Omit<StartFailure, 'startLog'>;
  constructor(failure: Omit<StartFailure, 'startLog'>) {
    super(failure.message);
    this.failure = failure;
  }
}

function failed(kind: StartFailure['kind'], message: string, payload?: ErrorPayload): StartFailedError {
  return new StartFailedError({ kind, message, ...(payload && { payload: JSON.stringify(payload) }) });
}

const DEFAULT_COMMAND = '/code/bootstrap';

/** The start command of a custom runtime, program first (FC reference 3.1). */
export function startCommand(custom: CustomRuntimeConfig): readonly [string, ...string[]] {
  const [program, ...rest] = [...custom.command, ...custom.args];
  if (custom.command.length === 0 || program === undefined) return [DEFAULT_COMMAND, ...custom.args];
  return [program, ...rest];
}

/** The wording of a missing start file (FC reference 4.5). */
export function missingStartFile(path: string): StartFailedError {
  return failed('not-started', `Failed to start function instance. Error: the file ${path} is not exist`);
}

/** The wording of a port that never opened (FC reference 4.5). */
export function portNotReached(port: number, logs: string): StartFailedError {
  return failed(
    'not-started',
    `Function instance health check failed on port ${port} in ${LIMITS.customStartSeconds} seconds.\nLogs: ${logs}`,
  );
}

/** The wording of a failing health check (FC reference 4.5, with its trailing space). */
export function unhealthy(detail: string): StartFailedError {
  return failed(
    'not-started',
    `The function http server cannot be started. check function health failed with ${detail} `,
  );
}

/** The shell that execs the start command says 127 and 126 where the system call said ENOENT and EACCES. */
const SHELL_EXEC_ERRORS: Readonly<Record<number, number>> = { 127: 2, 126: 13 };
const EXEC_MARK = /exec: /;

function exitText(exitCode: number): string {
  const text = getSystemErrorMessage(-exitCode);
  return exitCode === 0 || text.startsWith('Unknown system error') ? `exit status ${exitCode}` : text;
}

/** The wording of a custom runtime whose process ended before it listened (FC reference 4.5). */
export function exitedEarly(exit: SandboxExit, command: readonly string[], logs: string): StartFailedError {
  if (exit.reason === 'oom') {
    return failed(
      'exited',
      `Function instance exited unexpectedly(out of memory) with start command '${command.join(' ')} '. Logs:${logs}`,
    );
  }
  const seen = exit.exitCode ?? 1;
  const code = EXEC_MARK.test(logs) ? (SHELL_EXEC_ERRORS[seen] ?? seen) : seen;
  return failed(
    'exited',
    `Function instance exited unexpectedly(code ${code}, message:${exitText(code)}) with start command '${command.join(' ')} '. Logs:${logs}`,
  );
}

/** A start file without the permission to run: what the kernel would say, without starting a sandbox for it. */
export function notExecutable(command: readonly string[]): StartFailedError {
  return exitedEarly({ reason: 'crash', exitCode: 13 }, command, '');
}

export function loadFailed(error: ErrorPayload): StartFailedError {
  return failed('load', error.errorMessage, error);
}

export function initializationFailed(error: ErrorPayload): StartFailedError {
  return failed('initialization', error.errorMessage, error);
}

/** The process ended while the code was loaded or the initializer ran (FC reference 4.1). */
export function exitedDuring(
  step: 'load' | 'initialization',
  exit: SandboxExit,
  durationMs: number,
  peakBytes: number,
): StartFailedError {
  const cause = exit.reason === 'oom' ? 'Function instance ran out of memory' : 'Process exited unexpectedly';
  const peak = Math.round(peakBytes / (1024 * 1024));
  const errorMessage = `${cause} before completing request (duration: ${Math.round(durationMs)}ms, maxMemoryUsage: ${peak}MB)`;
  const errorType = exit.reason === 'oom' ? 'FunctionOOMError' : 'FunctionUnhandledError';
  return failed(step, errorMessage, { errorMessage, errorType, stackTrace: [] });
}

/** The step did not end in its time. */
export function timedOut(step: 'load' | 'initialization', seconds: number, peakBytes: number): StartFailedError {
  const what = step === 'load' ? 'Loading the code of the function' : 'Function initialization';
  const peak = (peakBytes / (1024 * 1024)).toFixed(2);
  const errorMessage = `${what} timed out after ${seconds} seconds (maxMemoryUsage: ${peak} MB)`;
  return failed(step, errorMessage, { errorMessage, errorType: 'FunctionTimeoutError', stackTrace: [] });
}

export function platformFailure(message: string): StartFailedError {
  return failed('platform', message);
}
