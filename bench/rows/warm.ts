import type { Platform } from '../../conformance/start.ts';
import { cpuOf, descendants, platformProcesses } from '../cpu-time.ts';
import { deployEcho, fcClient } from '../functions.ts';
import {
  type BenchServer,
  generate,
  type Load,
  pinToFirstCpu,
  startBareServer,
  startFloorServer,
} from '../processes.ts';
import { type Measurement, type Pair, ROUNDS, type Row } from '../row.ts';

const NAME = 'bench-warm';
const PATH = `/2023-03-30/functions/${NAME}/invocations`;
const IN_FLIGHT = 32;
/** Calls of one warming lap; laps go on until they get no cheaper, for every instance compiles its hot code by itself. */
const LAP = 4_000;
const MAX_LAPS = 8;
const STILL_COOLING = 0.95;

function loadOf(platform: Platform, inFlight: number, requests: number): Load {
  const key = { id: platform.accessKeyId, secret: platform.accessKeySecret };
  return { origin: platform.endpoint, path: PATH, inFlight, requests, key };
}

function loadOfServer(server: BenchServer, inFlight: number, requests: number): Load {
  return { origin: server.origin, path: PATH, inFlight, requests, key: { id: 'floor', secret: 'floor' } };
}

const plain = (server: BenchServer, inFlight: number, requests: number): Load => ({
  origin: server.origin,
  path: '/',
  inFlight,
  requests,
});

/**
 * A core for each instance: with the smallest size (0.1 core) a tenth of every 100 ms is what one instance may use, and a
 * single caller without a pause would measure that limit.
 */
async function prepare(
  platform: Platform,
  inFlight: number,
): Promise<{ own: () => readonly number[]; instances: () => readonly number[] }> {
  const wanted = { name: NAME, runtime: 'nodejs24', cpu: 1, memorySize: 1024 };
  await deployEcho(fcClient(platform), wanted).catch((error: { code?: string }) => {
    if (error.code !== 'FunctionAlreadyExists') throw error;
  });
  const own = (): readonly number[] => platformProcesses(platform.pid ?? 0).own;
  const instances = (): readonly number[] => platformProcesses(platform.pid ?? 0).instances;
  const all = (): readonly number[] => [...own(), ...instances()];
  let last = Number.POSITIVE_INFINITY;
  for (let lap = 0; lap < MAX_LAPS; lap++) {
    await pinToFirstCpu(all());
    const used = await cpuOf(all, () => generate(loadOf(platform, inFlight, LAP)));
    if (used > last * STILL_COOLING && lap > 2) break;
    last = Math.min(last, used);
  }
  await pinToFirstCpu(all());
  return { own, instances };
}

/** What a warm call costs: signed, in the sandbox, metered and logged, against a bare handler. */
export const warmCost: Row = {
  name: 'warm-cost',
  baseline: 'bare node:http handler',
  async run(start) {
    const platform = await start();
    const { own, instances } = await prepare(platform, IN_FLIGHT);
    const bare = await startBareServer();
    const floor = await startFloorServer(IN_FLIGHT);
    const requests = 4_000;
    const perCall = (seconds: number): number => (seconds / requests) * 1e6;
    const rounds: { all: Pair; own: Pair; instances: Pair; floor: Pair }[] = [];
    try {
      await generate(plain(bare, IN_FLIGHT, 2 * LAP));
      for (let lap = 0; lap < 3; lap++) await generate(loadOfServer(floor, IN_FLIGHT, 2 * LAP));
      for (let round = 0; round < ROUNDS; round++) {
        let ofInstances = 0;
        const ofOwn = await cpuOf(own, async () => {
          ofInstances = await cpuOf(instances, () => generate(loadOf(platform, IN_FLIGHT, requests)));
        });
        const bareUsed = await cpuOf(
          () => [bare.pid],
          () => generate(plain(bare, IN_FLIGHT, requests)),
        );
        const floorUsed = await cpuOf(
          () => descendants(floor.pid),
          () => generate(loadOfServer(floor, IN_FLIGHT, requests)),
        );
        const pair = (used: number): Pair => ({ ours: perCall(used), baseline: perCall(bareUsed) });
        rounds.push({
          all: pair(ofOwn + ofInstances),
          own: pair(ofOwn),
          instances: pair(ofInstances),
          floor: pair(floorUsed),
        });
      }
    } finally {
      bare.process.kill();
      floor.process.kill();
    }
    const line = (measure: string, part: keyof (typeof rounds)[number]): Measurement => ({
      measure,
      unit: 'µs',
      rounds: rounds.map((round) => round[part]),
    });
    return [
      { ...line('CPU per call, 32 in flight', 'all'), goal: 1 },
      line('of it up, server and agent', 'own'),
      line('of it instances', 'instances'),
      line('floor: signature, one hop to bare processes', 'floor'),
    ];
  },
};

/** How long a warm call takes when nothing else happens. */
export const warmLatency: Row = {
  name: 'warm-latency',
  baseline: 'bare node:http handler',
  async run(start) {
    const platform = await start();
    await prepare(platform, 1);
    const bare = await startBareServer();
    const floor = await startFloorServer(1);
    const requests = 2_000;
    const ours: { p50: Pair; p999: Pair }[] = [];
    const least: { p50: Pair; p999: Pair }[] = [];
    try {
      await generate(plain(bare, 1, 2 * requests));
      await generate(loadOfServer(floor, 1, 2 * requests));
      for (let round = 0; round < ROUNDS; round++) {
        const us = await generate(loadOf(platform, 1, requests));
        const them = await generate(plain(bare, 1, requests));
        const those = await generate(loadOfServer(floor, 1, requests));
        ours.push({
          p50: { ours: us.p50, baseline: them.p50 },
          p999: { ours: us.p999, baseline: them.p999 },
        });
        least.push({
          p50: { ours: those.p50, baseline: them.p50 },
          p999: { ours: those.p999, baseline: them.p999 },
        });
      }
    } finally {
      bare.process.kill();
      floor.process.kill();
    }
    const line = (measure: string, rounds: readonly Pair[]): Measurement => ({ measure, unit: 'ms', rounds });
    return [
      {
        ...line(
          'p50, 1 in flight',
          ours.map((round) => round.p50),
        ),
        goal: 1.4,
      },
      {
        ...line(
          'p99.9, 1 in flight',
          ours.map((round) => round.p999),
        ),
        goal: 2,
      },
      line(
        'floor p50: signature, one hop to a bare process',
        least.map((round) => round.p50),
      ),
      line(
        'floor p99.9',
        least.map((round) => round.p999),
      ),
    ];
  },
};
