import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pssKib, sandboxProcesses } from '../cpu-time.ts';
import { callOnce, deployEcho, fcClient } from '../functions.ts';
import { CLEAN_ENV } from '../processes.ts';
import { type Pair, ROUNDS, type Row } from '../row.ts';

/** Memory of an instance that waits for its next call, against a Node process that only waits. */
export const idleMemory: Row = {
  name: 'idle-memory',
  baseline: 'idle node process',
  async run(start) {
    const platform = await start();
    const client = fcClient(platform);
    const rounds: Pair[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = new Set(sandboxProcesses());
      const name = `bench-idle-${round}`;
      await deployEcho(client, { name, runtime: 'nodejs24', environment: { NODE_OPTIONS: '--no-warnings' } });
      await callOnce(client, name, 'x');
      const nodes = sandboxProcesses().filter((pid) => !before.has(pid) && commandOf(pid).includes('shim'));
      const bare = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1e6)'], {
        env: CLEAN_ENV,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        await new Promise((resolve) => bare.stdout.once('data', resolve));
        const ours = Math.max(...nodes.map(pssKib));
        if (bare.pid === undefined || !Number.isFinite(ours)) throw new Error('a process to measure is missing');
        rounds.push({ ours: ours / 1024, baseline: pssKib(bare.pid) / 1024 });
      } finally {
        bare.kill();
      }
    }
    return [{ measure: 'PSS', unit: 'MiB', rounds, goal: 1.25 }];
  },
};

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
