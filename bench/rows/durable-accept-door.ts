import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cpuOf, descendants } from '../cpu-time.ts';
import { deployEcho, fcClient } from '../functions.ts';
import { CLEAN_ENV, pinToFirstCpu } from '../processes.ts';
import { type Redis, startRedis } from '../redis.ts';
import { type Measurement, type Pair, ROUNDS, type Row } from '../row.ts';

const execute = promisify(execFile);

/** A process of its own, which alone may compose a server. */
const SERVER = new URL('../../test/apps/server/accepting-server.ts', import.meta.url);

const EVENTS = 10_000;
/** As many callers as 30,000 events a second have; each waits for its answer. */
const CONNECTIONS = 400;
/** Fewer callers share a commit: this many are recorded beside. */
const FEW = 100;
const LAPS = 3;
/** 0.85 of what the server accepts without its log. */
const WITHOUT_LOG = 1.176;
const NAME = 'bench-accept';
/** One core's time for one event at 30,000 events a second. */
const SHARE_US = 1e6 / 30_000;

interface Server {
  /** CPU and wall microseconds of an event. */
  accept(connections: number): Promise<{ cpuUs: number; wallUs: number }>;
  close(): Promise<void>;
}

/**
 * Asynchronous invocations of 300 bytes through the HTTP door, signed as the vendor's SDK signs, answered 202 once they are on disk. The
 * server, all its threads and the agent have the first CPU, the load generator the other one.
 */
export const durableAcceptDoor: Row = {
  name: 'durable-accept-door',
  baseline: 'see measure',
  async run() {
    const logged = await startServer('logged');
    const inMemory = await startServer('in-memory');
    const redis = await startRedis();
    const rounds: { cpu: Pair; besideMemory: Pair; wall: Pair; few: Pair; redis: Pair | undefined }[] = [];
    try {
      for (let lap = 0; lap < LAPS; lap++) for (const server of [logged, inMemory]) await server.accept(CONNECTIONS);
      for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(logged, inMemory, redis));
    } finally {
      await Promise.all([logged.close(), inMemory.close(), redis?.close()]);
    }
    const besideRedis = rounds.flatMap((each) => (each.redis === undefined ? [] : [each.redis]));
    const line = (measure: string, part: 'cpu' | 'besideMemory' | 'wall' | 'few'): Measurement => ({
      measure,
      unit: 'µs',
      rounds: rounds.map((round) => round[part]),
    });
    const rows: Measurement[] = [
      { ...line('CPU of an event ÷ its share of one core at 30,000/s', 'cpu'), goal: 1 },
      { ...line('CPU of an event ÷ without the log, 400 callers', 'besideMemory'), goal: WITHOUT_LOG },
      { ...line('time of an event ÷ without the log, 400 callers', 'wall'), goal: WITHOUT_LOG },
      line('CPU of an event ÷ without the log, 100 callers', 'few'),
    ];
    if (besideRedis.length > 0)
      rows.push({ measure: 'time of an event ÷ Redis, 400 callers', unit: 'µs', rounds: besideRedis, goal: 2 });
    return rows;
  },
};

async function measure(logged: Server, inMemory: Server, redis: Redis | undefined) {
  const ours = await logged.accept(CONNECTIONS);
  const theirs = await inMemory.accept(CONNECTIONS);
  const pushed = await redis?.push(EVENTS, CONNECTIONS, 1);
  return {
    cpu: { ours: ours.cpuUs, baseline: SHARE_US },
    besideMemory: { ours: ours.cpuUs, baseline: theirs.cpuUs },
    wall: { ours: ours.wallUs, baseline: theirs.wallUs },
    few: { ours: (await logged.accept(FEW)).cpuUs, baseline: (await inMemory.accept(FEW)).cpuUs },
    redis: pushed === undefined ? undefined : { ours: ours.wallUs, baseline: pushed.wallUs },
  };
}

async function startServer(kind: 'logged' | 'in-memory'): Promise<Server> {
  const data = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const child = spawn(process.execPath, [fileURLToPath(SERVER), data, kind], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...CLEAN_ENV, NODE_ENV: 'production' },
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    child.once('error', reject);
  });
  const { port, accessKeyId, accessKeySecret } = JSON.parse(line) as Record<string, string>;
  const keys = { accessKeyId: String(accessKeyId), accessKeySecret: String(accessKeySecret) };
  const endpoint = `http://127.0.0.1:${port}`;
  await deployEcho(fcClient({ endpoint, objectsEndpoint: endpoint, ...keys, pid: child.pid, close: async () => {} }), {
    name: NAME,
    runtime: 'nodejs24',
  });
  const processes = (): readonly number[] => descendants(child.pid ?? 0);
  await pinToFirstCpu(processes());
  const plan = {
    port: Number(port),
    path: `/2023-03-30/functions/${NAME}/invocations`,
    requests: EVENTS,
    key: { id: keys.accessKeyId, secret: keys.accessKeySecret },
  };
  return {
    async accept(connections) {
      let stdout = '';
      const generator = [process.execPath, join(import.meta.dirname, '..', 'accept-generator.mjs')];
      const cpu = await cpuOf(processes, async () => {
        ({ stdout } = await execute('taskset', ['-c', '1', ...generator, JSON.stringify({ ...plan, connections })], {
          env: CLEAN_ENV,
        }));
      });
      const { wallMs, failed } = JSON.parse(stdout) as { wallMs: number; failed: number };
      if (failed > 0) throw new Error(`${failed} of ${EVENTS} events were not accepted`);
      return { cpuUs: (cpu * 1e6) / EVENTS, wallUs: (wallMs * 1e3) / EVENTS };
    },
    close: () => end(child, data),
  };
}

async function end(child: ChildProcess, data: string): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await ended;
  rmSync(data, { recursive: true, force: true });
}
