import type { Pair, Row } from '../row.ts';
import { decide } from '../../src/services/scheduler/core.ts';
import type { VersionShape } from '../../src/services/scheduler/events.ts';
import { createSchedulerState } from '../../src/services/scheduler/state.ts';

/**
 * Scheduler core: acquire and release pairs a second on one core, with `idle` versions of one idle instance each.
 * `node bench/rows/scheduler-pairs.ts [pairs] [idle versions]`; prints one JSON line.
 */
function shapeOf(i: number): VersionShape {
  return {
    key: `1000000000000000/f${i}/LATEST@1`,
    account: '1000000000000000',
    functionKey: `1000000000000000/f${i}`,
    concurrency: 1,
    exclusive: false,
    memoryMb: 128,
    idleMs: 300_000,
    onDemand: true,
  };
}

function schedulerPairs(pairs: number, versions: number, hot: number): number {
  const state = createSchedulerState({ epoch: 1, now: 0, settings: { instancesPerAccount: versions } });
  const shapes = Array.from({ length: versions }, (_, i) => shapeOf(i));
  for (let i = 0; i < versions; i++) {
    const version = shapes[i];
    if (version === undefined) continue;
    decide(state, { type: 'adopted', instance: state.nextInstance++, version, busy: 0 }, 0);
  }
  state.effects.length = 0;
  // Spread over the versions with a stride, so that the caches do not flatter.
  const stride = Math.max(1, Math.floor(versions / hot));
  const active = Array.from({ length: hot }, (_, i) => shapes[(i * stride) % versions]).filter((s) => s !== undefined);
  let now = 1;
  let best = 0;
  for (let round = 0; round < 5; round++) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < pairs; i++) {
      now += 0.002;
      const version = active[i % active.length];
      if (version === undefined) break;
      const request = round * pairs + i + 1;
      decide(state, { type: 'enqueue', request, version, wait: true }, now);
      const effect = state.effects.pop();
      if (effect?.type !== 'grant') throw new Error('expected a grant');
      decide(state, { type: 'released', request, epoch: effect.epoch, outcome: 'ok' }, now + 0.001);
    }
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    best = Math.max(best, pairs / seconds);
  }
  return best;
}

/** The least that the core has to do, as time for one pair. */
const PAIRS_A_SECOND = 400_000;

/** Acquire and release pairs of the scheduler core, against what 400,000 a second leave for one. */
export const schedulerPairsRow: Row = {
  name: 'scheduler-pairs',
  baseline: '400,000 pairs a second',
  run() {
    const rounds = (versions: number, hot: number): Pair[] =>
      Array.from({ length: 5 }, () => ({
        ours: 1e6 / schedulerPairs(100_000, versions, hot),
        baseline: 1e6 / PAIRS_A_SECOND,
      }));
    return Promise.resolve([
      { measure: 'one pair, 1 function', unit: 'µs', rounds: rounds(1, 1), goal: 1 },
      { measure: 'one pair, 1,000 functions in turn', unit: 'µs', rounds: rounds(1_000, 1_000), goal: 1 },
      { measure: 'one pair, 1,000 of 100,000 functions in turn', unit: 'µs', rounds: rounds(100_000, 1_000) },
    ]);
  },
};

if (import.meta.main) {
  const pairs = Number(process.argv[2] ?? 400_000);
  const idle = Number(process.argv[3] ?? 100_000);
  const row = {
    row: 'scheduler-pairs',
    oneVersion: Math.round(schedulerPairs(pairs, 1, 1)),
    thousandVersions: Math.round(schedulerPairs(pairs, 1_000, 1_000)),
    idleVersions: idle,
    manyVersions: Math.round(schedulerPairs(pairs, idle, 1_000)),
    allVersions: Math.round(schedulerPairs(pairs, idle, idle)),
    goal: 400_000,
    rssMb: Math.round(process.memoryUsage().rss / 1_048_576),
  };
  console.log(JSON.stringify(row));
}
