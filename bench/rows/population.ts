import { cpuOf } from '../cpu-time.ts';
import { generate, pinToFirstCpu, startBareServer } from '../processes.ts';
import { type Pair, ROUNDS, type Row } from '../row.ts';
import { Population } from '../simulation/population.ts';

const REQUESTS = 4_000;

/**
 * What a million functions add to a warm call. The scheduler core is measured with 10⁶ and with 10³ functions; to each the
 * cost of a call to a bare handler is added, which is less than what a warm call costs: the ratio is an upper bound.
 */
export const population: Row = {
  name: 'population',
  baseline: 'the same with 1,000 functions',
  async run() {
    const few = new Population(1_000, 1);
    const many = new Population(1_000_000, 1);
    const bare = await startBareServer();
    const core: Pair[] = [];
    const call: Pair[] = [];
    try {
      await pinToFirstCpu([bare.pid]);
      const load = { origin: bare.origin, path: '/', inFlight: 32, requests: REQUESTS };
      await generate({ ...load, requests: 5 * REQUESTS });
      few.microsPerCall();
      many.microsPerCall();
      for (let round = 0; round < ROUNDS; round++) {
        const seconds = await cpuOf(
          () => [bare.pid],
          () => generate(load),
        );
        const pair = { ours: many.microsPerCall(), baseline: few.microsPerCall() };
        const handler = (seconds / REQUESTS) * 1e6;
        core.push(pair);
        call.push({ ours: handler + pair.ours, baseline: handler + pair.baseline });
      }
    } finally {
      bare.process.kill();
    }
    return [
      { measure: 'CPU of a call', unit: 'µs', rounds: call, goal: 1.1 },
      { measure: 'of it the scheduler core', unit: 'µs', rounds: core },
    ];
  },
};
