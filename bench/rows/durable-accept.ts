import { accept, costOf, requestIds, withQueueFolder } from '../queue-load.ts';
import { startRedis } from '../redis.ts';
import { type Measurement, type Pair, ROUNDS, type Row } from '../row.ts';

const EVENTS = 20_000;
/** Under way at both: connections times what each sends ahead. */
const CONNECTIONS = 50;
const PIPELINED = 40;
/** As callers of a server have it, a connection each: none sends the next event before the last one was accepted. */
const CALLERS = 100;
/** One core's time for one event at 30,000 events a second. */
const SHARE_US = 1e6 / 30_000;

/**
 * Events of 300 bytes accepted by the queue, each on disk before its caller goes on. Ours are called in the process, Redis over
 * a Unix socket, both write below the same temporary folder.
 */
export const durableAccept: Row = {
  name: 'durable-accept',
  baseline: 'see measure',
  async run() {
    const core: Pair[] = [];
    const besideRedis: Pair[] = [];
    const cpuBesideRedis: Pair[] = [];
    const callers: Pair[] = [];
    const redis = await startRedis();
    if (redis === undefined)
      console.error('durable-accept: no comparison with Redis; on Debian: apt-get install redis-server redis-tools');
    try {
      await withQueueFolder(async (open) => {
        const queue = await open();
        const load = (inFlight: number) => ({ ids: requestIds(EVENTS), inFlight, key: 'a/f' });
        const many = CONNECTIONS * PIPELINED;
        await accept(queue, load(many));
        await accept(queue, load(CALLERS));
        for (let round = 0; round < ROUNDS; round++) {
          const ahead = load(many);
          const { cpuMs, wallMs } = await costOf(() => accept(queue, ahead));
          core.push({ ours: (cpuMs * 1000) / EVENTS, baseline: SHARE_US });
          const pushed = await redis?.push(EVENTS, CONNECTIONS, PIPELINED);
          if (pushed === undefined) continue;
          besideRedis.push({ ours: (wallMs * 1000) / EVENTS, baseline: pushed.wallUs });
          cpuBesideRedis.push({ ours: (cpuMs * 1000) / EVENTS, baseline: pushed.cpuUs });
          const few = load(CALLERS);
          const ours = await costOf(() => accept(queue, few));
          const theirs = await redis?.push(EVENTS, CALLERS, 1);
          if (theirs !== undefined) callers.push({ ours: (ours.wallMs * 1000) / EVENTS, baseline: theirs.wallUs });
        }
        await queue.close();
      });
    } finally {
      await redis?.close();
    }
    const rows: Measurement[] = [
      { measure: 'CPU of an event ÷ its share of one core at 30,000/s', unit: 'µs', rounds: core, goal: 1 },
    ];
    if (besideRedis.length > 0) {
      rows.push({ measure: 'time of an event ÷ Redis, 2,000 under way', unit: 'µs', rounds: besideRedis, goal: 2 });
      rows.push({ measure: 'time of an event ÷ Redis, 100 callers', unit: 'µs', rounds: callers, goal: 2 });
      rows.push({ measure: 'CPU of an event, its caller included ÷ redis-server', unit: 'µs', rounds: cpuBesideRedis });
    }
    return rows;
  },
};
