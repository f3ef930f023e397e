import { setTimeout as pause } from 'node:timers/promises';
import { costOf, withQueueFolder } from '../queue-load.ts';
import { type Pair, ROUNDS, type Row } from '../row.ts';
import { buildDispatch } from './dispatch-overhead.ts';

const EVENTS = 5_000;
const WAITING = 2_000;
/** One core's time for one event at 12,000 events a second. */
const SHARE_US = 1e6 / 12_000;

/**
 * Events from accepted to acknowledged: dispatch, scheduler and the queue on disk, over a link to an instance that answers at
 * once. The rate is that of the whole, on all cores there are: wall time. What the HTTP listener and a real instance cost is in `warm-cost`.
 */
export const eventThroughput: Row = {
  name: 'event-throughput',
  baseline: "one core's share of an event at 12,000/s",
  run: () =>
    withQueueFolder(async (open) => {
      const queue = await open();
      const { dispatch, scheduling, ended } = buildDispatch(queue);
      const alive = setInterval(() => {}, 60_000);
      await scheduling.start();
      await dispatch.start();
      const payload = new Uint8Array(300);
      const all = async (name: string): Promise<void> => {
        const until = ended() + EVENTS;
        let next = 0;
        const caller = async (): Promise<void> => {
          while (next < EVENTS) {
            const requestId = `1-65e571bc-${name}-${next++}`;
            const lineage = { hops: 0, rootRequestId: requestId };
            const target = { account: '1000000000000000', functionName: 'f', qualifier: undefined };
            await dispatch.invokeAsync({ requestId, ...target, payload, lineage });
          }
        };
        await Promise.all(Array.from({ length: WAITING }, caller));
        while (ended() < until) await pause(2);
      };
      await all('first');
      const cpu: Pair[] = [];
      const wall: Pair[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const { cpuMs, wallMs } = await costOf(() => all(String(round)));
        cpu.push({ ours: (cpuMs * 1000) / EVENTS, baseline: SHARE_US });
        wall.push({ ours: (wallMs * 1000) / EVENTS, baseline: SHARE_US });
      }
      await dispatch.close();
      await scheduling.close();
      await queue.close();
      clearInterval(alive);
      return [
        { measure: 'CPU of an event', unit: 'µs', rounds: cpu, goal: 1 },
        { measure: 'wall time of an event ÷ that at 12,000/s', unit: 'µs', rounds: wall, goal: 1 },
        {
          measure: 'events a second ÷ 12,000',
          unit: '/s',
          rounds: wall.map(({ ours }) => ({ ours: 1e6 / ours, baseline: 12_000 })),
        },
      ];
    }),
};
