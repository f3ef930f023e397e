import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cpuOf } from './cpu-time.ts';
import { CLEAN_ENV } from './processes.ts';

const execute = promisify(execFile);

export interface Redis {
  /** Of each of `count` values of 300 bytes, pushed one by one and each on disk before its answer; the server's own CPU. */
  push(count: number, connections: number, pipelined: number): Promise<{ wallUs: number; cpuUs: number }>;
  close(): Promise<void>;
}

/** Debian's redis-server on a Unix socket in a folder of its own, with `appendfsync always`; undefined: not installed. */
export async function startRedis(): Promise<Redis | undefined> {
  for (const program of ['redis-server', 'redis-benchmark']) {
    const found = await execute('which', [program], { env: CLEAN_ENV }).catch(() => undefined);
    if (found === undefined) return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-redis-'));
  const socket = join(folder, 'redis.sock');
  const settings = ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', ''];
  const log = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const server = spawn('redis-server', [...settings, ...log], { stdio: 'ignore', env: CLEAN_ENV });
  while (!existsSync(socket)) {
    if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}`);
    await pause(10);
  }
  return {
    async push(count, connections, pipelined) {
      const plan = ['-n', String(count), '-c', String(connections), '-P', String(pipelined), '-d', '300'];
      const args = ['-s', socket, ...plan, '-t', 'lpush', '--csv'];
      let stdout = '';
      const cpu = await cpuOf(
        () => [server.pid ?? 0],
        async () => {
          ({ stdout } = await execute('redis-benchmark', args, { env: CLEAN_ENV }));
        },
      );
      const aSecond = Number(/^"LPUSH[^"]*","([\d.]+)"/m.exec(stdout)?.[1]);
      if (!(aSecond > 0)) throw new Error(`redis-benchmark said: ${stdout}`);
      return { wallUs: 1e6 / aSecond, cpuUs: (cpu * 1e6) / count };
    },
    close: () => stop(server, folder),
  };
}

async function stop(server: ChildProcess, folder: string): Promise<void> {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill();
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
