import { systemClock } from '../../src/adapters/clock-system/index.ts';
import { accept, costOf, requestIds, withQueueFolder } from '../queue-load.ts';
import { type Pair, ROUNDS, type Row } from '../row.ts';

/** 10⁷ takes minutes: `BENCH_EVENTS=10000000` asks for it. */
const EVENTS = Number(process.env['BENCH_EVENTS'] ?? 1_000_000);
const FEW = 10_000;
const LEASES = 200;
const BATCH = 500;
const MIB = 1_048_576;

const rss = (): number => process.memoryUsage.rss() / MIB;

/**
 * A queue with `EVENTS` of one function against one with `FEW`: memory of the process, the time to open it, and what it
 * costs to take an event of another function.
 */
export const queueMemory: Row = {
  name: 'queue-memory',
  baseline: `the same with ${FEW} events`,
  run: () =>
    withQueueFolder(async (open) => {
      let queue = await open();
      const fill = async (from: number, to: number): Promise<void> => {
        for (let n = from; n < to; n += BATCH) {
          const batch = Array.from({ length: BATCH }, (_, i) => ({
            ...{ id: `e${n + i}`, key: 'a/busy', dueAt: 0, headers: { requestId: `e${n + i}` } },
            payload: new Uint8Array(300),
          }));
          await queue.enqueue(batch);
        }
      };
      const leases = async (): Promise<number> => {
        await accept(queue, { ids: requestIds(LEASES), inFlight: 50, key: 'a/other' });
        const skip = new Set(['a/busy']);
        const { cpuMs } = await costOf(async () => {
          for (let n = 0; n < LEASES; n++) {
            const taken = await queue.lease({ max: 1, leaseMs: 3_600_000, now: systemClock.now(), skip });
            if (taken[0]?.key !== 'a/other') throw new Error('the other function was not served');
          }
        });
        return (cpuMs * 1000) / LEASES;
      };
      const reopen = async (): Promise<number> => {
        await queue.close();
        const begin = performance.now();
        queue = await open();
        return performance.now() - begin;
      };
      await fill(0, FEW);
      await leases();
      const few: number[] = [];
      for (let round = 0; round < ROUNDS; round++) few.push(await leases());
      const openedFew = await reopen();
      const before = rss();
      await fill(FEW, EVENTS);
      const memory = { ours: rss(), baseline: before };
      const opened = { ours: await reopen(), baseline: openedFew };
      await leases();
      const taking: Pair[] = [];
      for (const baseline of few) taking.push({ ours: await leases(), baseline });
      await queue.close();
      return [
        { measure: `memory with ${EVENTS} events`, unit: 'MiB', rounds: [memory] },
        { measure: 'CPU of taking an event of another function', unit: 'µs', rounds: taking, goal: 1.5 },
        { measure: 'opening it', unit: 'ms', rounds: [opened] },
      ];
    }),
};
