import { spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { pssKib, sandboxProcesses } from '../cpu-time.ts';
import { callOnce, deployEcho, fcClient } from '../functions.ts';
import { CLEAN_ENV } from '../processes.ts';
import type { Platform } from '../../conformance/start.ts';
import { NOTHING_BARE, onOwnPlatform } from '../own-platform.ts';
import type { Measurement, Pair, Row } from '../row.ts';

const INSTANCES = 10;
const ROUNDS = 3;

/**
 * What one more instance that waits for its next call takes, against one more Node process that only waits. Both are ten
 * processes of the very same program file, measured one group at a time, so that either shares its pages with its like.
 * The small init of an instance counts too.
 */
export const idleMemory: Row = {
  name: 'idle-memory',
  baseline: 'idle node process',
  async run() {
    // From scratch: what a sandbox that waits becomes cannot be told from its environment.
    return onOwnPlatform(NOTHING_BARE, measure);
  },
};

async function measure(platform: Platform): Promise<readonly Measurement[]> {
  const client = fcClient(platform);
  const rounds: Pair[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = new Set(sandboxProcesses());
    for (let i = 0; i < INSTANCES; i++) {
      const name = `bench-idle-${round}-${i}`;
      await deployEcho(client, { name, runtime: 'nodejs24', environment: { NODE_OPTIONS: '--no-warnings' } });
      await callOnce(client, name, 'x');
    }
    const made = sandboxProcesses().filter((pid) => !before.has(pid) && commandOf(pid).includes('shim.cjs'));
    const own = made.filter((pid) => environmentOf(pid).includes('NODE_OPTIONS=--no-warnings'));
    const [node] = own.filter((pid) => programOf(pid).endsWith('/node'));
    if (node === undefined) throw new Error('a process to measure is missing');
    const ours = total(own) / INSTANCES;
    rounds.push({ ours, baseline: await bareNodes(`/proc/${node}/exe`) });
  }
  return [{ measure: 'PSS of one of ten', unit: 'MiB', rounds, goal: 1.25 }];
}

/** MiB that each of ten processes takes which run the program at `program` and wait. */
async function bareNodes(program: string): Promise<number> {
  const nodes = Array.from({ length: INSTANCES }, () =>
    spawn(program, ['-e', 'console.log(1); setInterval(() => {}, 1e6)'], {
      env: CLEAN_ENV,
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  try {
    await Promise.all(nodes.map((node) => new Promise((resolve) => node.stdout.once('data', resolve))));
    return total(nodes.flatMap((node) => node.pid ?? [])) / INSTANCES;
  } finally {
    for (const node of nodes) node.kill();
  }
}

/** Proportional set size of these processes together, MiB. */
function total(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + pssKib(pid), 0) / 1024;
}

function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`);
}

function environmentOf(pid: number): string {
  return textOf(`/proc/${pid}/environ`);
}

function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
