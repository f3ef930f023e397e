import type { Platform } from '../../conformance/start.ts';
import { cpuSeconds, platformProcesses } from '../cpu-time.ts';
import { deployEcho, fcClient } from '../functions.ts';
import { generate, type Load, startBareServer } from '../processes.ts';
import { type Measurement, type Pair, ROUNDS, type Row } from '../row.ts';

const NAME = 'bench-warm';

function loadOf(platform: Platform, inFlight: number, requests: number): Load {
  return {
    origin: platform.endpoint,
    path: `/2023-03-30/functions/${NAME}/invocations`,
    inFlight,
    requests,
    key: { id: platform.accessKeyId, secret: platform.accessKeySecret },
  };
}

async function prepare(platform: Platform): Promise<void> {
  await deployEcho(fcClient(platform), { name: NAME, runtime: 'nodejs24' }).catch((error: { code?: string }) => {
    if (error.code !== 'FunctionAlreadyExists') throw error;
  });
  // long enough for the instances that the load needs, and for the compilers to have seen the hot code
  await generate(loadOf(platform, 32, 3_000));
}

async function cpuOf(pids: () => readonly number[], work: () => Promise<unknown>): Promise<number> {
  const before = new Map(pids().map((pid) => [pid, cpuSeconds(pid)]));
  await work();
  let used = 0;
  for (const pid of pids()) used += cpuSeconds(pid) - (before.get(pid) ?? 0);
  return used;
}

/** What a warm call costs: signed, in the sandbox, metered and logged, against a bare handler. */
export const warmCost: Row = {
  name: 'warm-cost',
  baseline: 'bare node:http handler',
  async run(start) {
    const platform = await start();
    await prepare(platform);
    const bare = await startBareServer();
    const requests = 4_000;
    const rounds: Pair[] = [];
    try {
      await generate({ origin: bare.origin, path: '/', inFlight: 32, requests });
      for (let round = 0; round < ROUNDS; round++) {
        const pids = () => platformProcesses(platform.pid ?? 0);
        const ours = await cpuOf(pids, () => generate(loadOf(platform, 32, requests)));
        const baseline = await cpuOf(
          () => [bare.pid],
          () => generate({ origin: bare.origin, path: '/', inFlight: 32, requests }),
        );
        rounds.push({ ours: (ours / requests) * 1e6, baseline: (baseline / requests) * 1e6 });
      }
    } finally {
      bare.process.kill();
    }
    return [{ measure: 'CPU per call, 32 in flight', unit: 'µs', rounds, goal: 1 }];
  },
};

/** How long a warm call takes when nothing else happens. */
export const warmLatency: Row = {
  name: 'warm-latency',
  baseline: 'bare node:http handler',
  async run(start) {
    const platform = await start();
    await prepare(platform);
    const bare = await startBareServer();
    const requests = 2_000;
    const p50: Pair[] = [];
    const p999: Pair[] = [];
    try {
      await generate({ origin: bare.origin, path: '/', inFlight: 1, requests });
      for (let round = 0; round < ROUNDS; round++) {
        const ours = await generate(loadOf(platform, 1, requests));
        const baseline = await generate({ origin: bare.origin, path: '/', inFlight: 1, requests });
        p50.push({ ours: ours.p50, baseline: baseline.p50 });
        p999.push({ ours: ours.p999, baseline: baseline.p999 });
      }
    } finally {
      bare.process.kill();
    }
    const measurements: Measurement[] = [
      { measure: 'p50, 1 in flight', unit: 'ms', rounds: p50, goal: 1.4 },
      { measure: 'p99.9, 1 in flight', unit: 'ms', rounds: p999, goal: 2 },
    ];
    return measurements;
  },
};
