import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * Runs a script in a process of its own and kills it with SIGKILL once it has printed `lines` lines. Resolves with every
 * line it got out before it died.
 */
export async function killAfterLines(script: URL, args: readonly string[], lines: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [script.pathname, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const printed: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line);
    if (printed.length === lines) child.kill('SIGKILL');
  }
  const [code, signal] = await exited;
  if (signal !== 'SIGKILL') throw new Error(`${script.pathname} ended by itself with code ${String(code)}`);
  return printed;
}
