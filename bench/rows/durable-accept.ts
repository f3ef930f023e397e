import { accept, costOf, withQueueFolder } from '../queue-load.ts';
import { startRedis } from '../redis.ts';
import { type Measurement, type Pair, ROUNDS, type Row } from '../row.ts';

const EVENTS = 20_000;
/** As many as redis-benchmark has: connections times what each sends ahead. */
const CONNECTIONS = 50;
const PIPELINED = 40;
/** One core's time for one event at 30,000 events a second. */
const SHARE_US = 1e6 / 30_000;

/** Events of 300 bytes accepted by the queue, each on disk before its caller goes on. */
export const durableAccept: Row = {
  name: 'durable-accept',
  baseline: 'see measure',
  async run() {
    const core: Pair[] = [];
    const besideRedis: Pair[] = [];
    const cpuBesideRedis: Pair[] = [];
    const redis = await startRedis();
    if (redis === undefined)
      console.error('durable-accept: no comparison with Redis; on Debian: apt-get install redis-server redis-tools');
    try {
      await withQueueFolder(async (open) => {
        const queue = await open();
        const load = { count: EVENTS, inFlight: CONNECTIONS * PIPELINED, key: 'a/f' };
        await accept(queue, { ...load, name: 'first' });
        for (let round = 0; round < ROUNDS; round++) {
          const { cpuMs, wallMs } = await costOf(() => accept(queue, { ...load, name: String(round) }));
          core.push({ ours: (cpuMs * 1000) / EVENTS, baseline: SHARE_US });
          const pushed = await redis?.push(EVENTS, CONNECTIONS, PIPELINED);
          if (pushed === undefined) continue;
          besideRedis.push({ ours: (wallMs * 1000) / EVENTS, baseline: pushed.wallUs });
          cpuBesideRedis.push({ ours: (cpuMs * 1000) / EVENTS, baseline: pushed.cpuUs });
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
      rows.push({ measure: 'time of an event ÷ Redis, fsync always', unit: 'µs', rounds: besideRedis, goal: 2 });
      rows.push({ measure: 'CPU of an event, its caller included ÷ redis-server', unit: 'µs', rounds: cpuBesideRedis });
    }
    return rows;
  },
};
