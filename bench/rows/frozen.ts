import { setTimeout as pause } from 'node:timers/promises';
import { callOnce, deployEcho, fcClient } from '../functions.ts';
import { quantile, ROUNDS, type Pair, type Row } from '../row.ts';

const CALLS = 20;
/** Longer than an instance has to be idle before it is frozen. */
const IDLE_MS = 160;

/** A call to an instance that was frozen since its last one, against a call to the same instance while it runs. */
export const frozenCall: Row = {
  name: 'frozen-call',
  baseline: 'the same call, running instance',
  async run(start) {
    const client = fcClient(await start());
    const name = 'bench-frozen';
    await deployEcho(client, { name, runtime: 'nodejs24' });
    for (let i = 0; i < 200; i++) await callOnce(client, name, 'x');
    const rounds: Pair[] = [];
    const timed = async (): Promise<number> => {
      const begin = performance.now();
      await callOnce(client, name, 'x');
      return performance.now() - begin;
    };
    for (let round = 0; round < ROUNDS; round++) {
      const [frozen, running]: [number[], number[]] = [[], []];
      for (let i = 0; i < CALLS; i++) {
        await pause(IDLE_MS);
        frozen.push(await timed());
        // a pause too short to be frozen: what idling costs everybody else is in both
        await pause(IDLE_MS / 4);
        running.push(await timed());
      }
      rounds.push({ ours: quantile(frozen, 0.5), baseline: quantile(running, 0.5) });
    }
    return [{ measure: 'p50, as the SDK sees it', unit: 'ms', rounds }];
  },
};
