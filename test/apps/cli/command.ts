import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../../src/apps/cli/main.ts');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line from its sources, as a process of its own. Only `env` decides which platform it knows. */
export function startCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input?: string,
): ChildProcess {
  const base = { PATH: process.env.PATH ?? '', HOME: '/nonexistent' };
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...base, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  if (input !== undefined) child.stdin.end(input);
  return child;
}

export function command(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input?: string,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = startCommand(args, env, input);
    let [stdout, stderr] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
