import type { Pair, Row } from '../row.ts';
import { traceLoad } from '../simulation/trace.ts';
import { replay } from '../simulation/world.ts';

const START_MS = 300;

/**
 * Keep-alive on the Azure sample, replayed through the scheduler core in simulated time. A round is one seed of what the
 * trace leaves open: times inside a minute and durations.
 */
export const keepAlive: Row = {
  name: 'keep-alive',
  baseline: 'fixed keep-alive of ten minutes',
  run() {
    const cold: Pair[] = [];
    const idle: Pair[] = [];
    for (let seed = 1; seed <= 5; seed++) {
      const load = traceLoad(seed);
      const fixed = replay(load, { keepAlive: { fixedMs: 600_000 }, announce: false, startMs: START_MS });
      const ours = replay(load, { keepAlive: 'learnt', announce: true, startMs: START_MS });
      cold.push({ ours: ours.cold, baseline: fixed.cold });
      const gigabyteHours = 1_024 * 3_600;
      idle.push({ ours: ours.idleMbSeconds / gigabyteHours, baseline: fixed.idleMbSeconds / gigabyteHours });
    }
    return Promise.resolve([
      { measure: 'cold starts', unit: 'calls', rounds: cold, goal: 0.3 },
      { measure: 'memory held idle', unit: 'GB·h', rounds: idle, goal: 0.55 },
    ]);
  },
};
