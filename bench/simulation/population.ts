import { decide } from '../../src/services/scheduler/core.ts';
import { createSchedulerState } from '../../src/services/scheduler/state.ts';
import { shapeOf } from './load.ts';
import { Seeded } from './seeded.ts';

export interface PopulationCost {
  readonly functions: number;
  /** Processor time of the scheduler core for one warm call: lease and release, nanoseconds. */
  readonly nsPerCall: number;
  readonly bytesPerFunction: number;
}

/**
 * So many functions, each with one idle instance, called as real ones are: few of them get most calls (Zipf with exponent 1,
 * which is milder to us than the field: in the Azure trace 1 % of the functions get more than 90 %), all in random order.
 */
export function populationCost(functions: number, calls: number, seed: number): PopulationCost {
  const random = new Seeded(seed);
  global.gc?.();
  const before = process.memoryUsage().heapUsed;
  const state = createSchedulerState({ epoch: 1, now: 0, settings: { instancesPerAccount: functions } });
  const shapes = Array.from({ length: functions }, (_, i) =>
    shapeOf({ name: `f${i}`, memoryMb: 128, timer: false }, 'learnt'),
  );
  for (const version of shapes) {
    decide(state, { type: 'adopted', instance: state.nextInstance++, version, busy: 0 }, 0);
    state.effects.length = 0;
  }
  global.gc?.();
  const bytesPerFunction = (process.memoryUsage().heapUsed - before) / functions;
  // Zipf by its inverse: rank = functions ** u; the ranks are shuffled over the functions by a multiplication.
  const picks = Uint32Array.from({ length: calls }, () =>
    Number((BigInt(Math.floor(functions ** random.float()) - 1) * 2_654_435_761n) % BigInt(functions)),
  );
  let now = 1;
  let request = 1;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round++) {
    const begin = process.cpuUsage();
    for (const pick of picks) {
      const version = shapes[pick];
      if (version === undefined) continue;
      now += 0.002;
      decide(state, { type: 'enqueue', request, version, wait: true }, now);
      state.effects.length = 0;
      decide(state, { type: 'released', request: request++, epoch: 1, outcome: 'ok' }, now + 0.001);
    }
    const spent = process.cpuUsage(begin);
    best = Math.min(best, ((spent.user + spent.system) * 1_000) / calls);
  }
  return { functions, nsPerCall: best, bytesPerFunction };
}
