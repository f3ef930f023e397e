import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';

export interface CommandResult {
  readonly code: number | null;
  readonly output: string;
}

const KEPT_OUTPUT = 16 * 1024;

/**
 * Runs a host tool to its end with a clean environment. Never rejects: a tool that cannot be started or takes longer
 * than `timeoutMs` (it is killed then) has code null and says why in `output`.
 */
export function runCommand(
  file: string,
  args: readonly string[],
  options: {
    readonly input?: string;
    readonly timeoutMs: number;
    /** Becomes descriptor 3 of the tool. */
    readonly descriptor?: number;
  },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe', ...(options.descriptor === undefined ? [] : [options.descriptor])],
      // A group of its own: a tool that hangs is killed with whatever it has started.
      detached: true,
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    });
    standBack(child.pid);
    let output = '';
    let note = '';
    const keep = (chunk: Buffer): void => {
      if (output.length < KEPT_OUTPUT) output += chunk.toString();
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    // A tool that ends without reading its input is judged by its exit code, not by our broken pipe.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
    const timer = setTimeout(() => {
      note = ` (no end within ${options.timeoutMs} ms: killed)`;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      // Descendants of a hanging tool may hold its pipes open: do not wait for them.
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, options.timeoutMs);
    const settle = (code: number | null): void => {
      clearTimeout(timer);
      resolve({ code: note === '' ? code : null, output: (output + note).trim() });
    };
    child.on('error', (error) => {
      note = error.message;
      settle(null);
    });
    child.on('close', (code) => settle(code));
  });
}

/** Tools prepare what somebody will need: calls that run go first on busy processors. */
function standBack(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already.
  }
}

const TOOL_TIMEOUT_MS = 20_000;

/** As `runCommand`, for tools that must succeed: throws with the tool's own words otherwise. */
export async function mustRun(file: string, args: readonly string[], input = ''): Promise<string> {
  const result = await runCommand(file, args, { input, timeoutMs: TOOL_TIMEOUT_MS });
  if (result.code !== 0) throw new Error(`${file} ${args.join(' ')} failed: ${result.output || `code ${result.code}`}`);
  return result.output;
}
