import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** What children get to see: nothing that changes how Node starts. */
export const CLEAN_ENV: NodeJS.ProcessEnv = { PATH: process.env.PATH, HOME: process.env.HOME };

export interface Load {
  readonly origin: string;
  readonly path: string;
  readonly inFlight: number;
  readonly requests: number;
  readonly key?: { readonly id: string; readonly secret: string };
}

export interface LoadResult {
  readonly wallMs: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** Runs the load generator on the last CPU, so that it competes with the servers as little as two cores allow. */
export async function generate(load: Load): Promise<LoadResult> {
  const script = join(import.meta.dirname, 'load-generator.mjs');
  const command = ['-c', '1', process.execPath, script, JSON.stringify(load)];
  const { stdout } = await execute('taskset', command, { env: CLEAN_ENV });
  const result = JSON.parse(stdout) as LoadResult & { failed: number };
  if (result.failed > 0) throw new Error(`${result.failed} of ${load.requests} answers were not as expected`);
  return result;
}

/** The baseline server, and its port. */
export async function startBareServer(): Promise<{ process: ChildProcess; origin: string; pid: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-server.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: CLEAN_ENV,
  });
  const port = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('error', reject);
  });
  if (child.pid === undefined) throw new Error('the baseline server has no pid');
  return { process: child, origin: `http://127.0.0.1:${port}`, pid: child.pid };
}

/** Wall milliseconds of a command, from spawn to exit. */
export async function timeCommand(command: string, args: readonly string[]): Promise<number> {
  const begin = performance.now();
  await new Promise<void>((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: 'ignore', env: CLEAN_ENV });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`))));
  });
  return performance.now() - begin;
}
