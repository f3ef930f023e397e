import { systemClock } from '../src/adapters/clock-system/index.ts';
import { openEventQueue } from '../src/adapters/queue-sqlite/index.ts';
import { accept, requestIds } from './queue-load.ts';

/** Opens the queue argv[2], works with it as a server does, and says what that took: a process of its own, for its memory. */
const EVENTS = 2_000;
const LEASES = 500;

const begin = performance.now();
const queue = await openEventQueue({ path: process.argv[2] ?? '', clock: systemClock, rememberMs: 3_600_000 });
const openMs = performance.now() - begin;
await accept(queue, { ids: requestIds(EVENTS), inFlight: 100, key: 'a/busy' });
for (let n = 0; n < LEASES; n++) {
  for (const event of await queue.lease({ max: 4, leaseMs: 60_000, now: systemClock.now() })) {
    await queue.settle(event, { state: 'Succeeded', attempts: 1, message: '', followers: [] });
  }
}
console.log(JSON.stringify({ openMs, rssMib: process.memoryUsage.rss() / 1_048_576 }));
await queue.close();
