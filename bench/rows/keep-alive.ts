import type { Measurement, Pair, Row } from '../row.ts';
import { type Spread, traceLoad } from '../simulation/trace.ts';
import { replay } from '../simulation/world.ts';

const START_MS = 300;

/**
 * Keep-alive on the Azure sample, replayed through the scheduler core in simulated time. A round is one seed of what the
 * trace leaves open: times inside a minute and durations. The trace counts calls per minute, so it is replayed with both ends of
 * what that may mean: at independent times (nobody could know the second) and at equal distances.
 */
export const keepAlive: Row = {
  name: 'keep-alive',
  baseline: 'fixed keep-alive of ten minutes',
  run() {
    return Promise.resolve([...measured('even', 'at equal distances'), ...measured('poisson', 'at independent times')]);
  },
};

function measured(spread: Spread, words: string): Measurement[] {
  const cold: Pair[] = [];
  const idle: Pair[] = [];
  for (let seed = 1; seed <= 5; seed++) {
    const load = traceLoad(seed, spread);
    const fixed = replay(load, { keepAlive: { fixedMs: 600_000 }, announce: false, startMs: START_MS });
    const ours = replay(load, { keepAlive: 'learnt', announce: true, startMs: START_MS });
    cold.push({ ours: ours.cold, baseline: fixed.cold });
    const gigabyteHours = 1_024 * 3_600;
    idle.push({ ours: ours.idleMbSeconds / gigabyteHours, baseline: fixed.idleMbSeconds / gigabyteHours });
  }
  return [
    { measure: `cold starts, calls of a minute ${words}`, unit: 'calls', rounds: cold, goal: 0.3 },
    { measure: `memory held idle, calls of a minute ${words}`, unit: 'GB·h', rounds: idle, goal: 0.55 },
  ];
}
