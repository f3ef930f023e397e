import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';

const queue = await openEventQueue({ path: process.argv[2] ?? '', clock: systemClock, rememberMs: 1000 });
let next = 0;

async function enqueueOn(): Promise<never> {
  for (;;) {
    const id = `crash-${next++}`;
    await queue.enqueue([{ id, key: 'crash', dueAt: 0, headers: null, payload: new Uint8Array(300) }]);
    process.stdout.write(`${id}\n`);
  }
}
await Promise.all(Array.from({ length: 64 }, enqueueOn));
