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
  /** Of requests that are not signed. */
  readonly headers?: Readonly<Record<string, string>>;
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

/** A server of this folder that prints its port first, on the first CPU. */
export interface BenchServer {
  readonly process: ChildProcess;
  readonly origin: string;
  readonly pid: number;
}

/** The baseline server, and its port. */
export function startBareServer(): Promise<BenchServer> {
  return startServer(['bare-server.mjs']);
}

/** The floor: node:http, a signature, and one hop to one of `instances` bare processes. */
export function startFloorServer(instances: number): Promise<BenchServer> {
  return startServer(['floor-server.mjs', 'server', String(instances)]);
}

/** Keeps processes and their threads off the load generator's CPU. What is gone meanwhile is no harm. */
export async function pinToFirstCpu(pids: readonly number[]): Promise<void> {
  await Promise.all(pids.map((pid) => execute('taskset', ['-acp', '0', String(pid)]).catch(() => undefined)));
}

async function startServer([script = '', ...rest]: readonly string[]): Promise<BenchServer> {
  const child = spawn('taskset', ['-c', '0', process.execPath, join(import.meta.dirname, script), ...rest], {
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
