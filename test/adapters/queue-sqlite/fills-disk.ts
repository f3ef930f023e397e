import { join } from 'node:path';
import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import { systemClock } from '../../../src/adapters/clock-system/index.ts';

const path = join(process.argv[2] ?? '', 'queue.db');
const queue = await openEventQueue({ path, clock: systemClock, rememberMs: 1000 });
const accepted: string[] = [];
let failure = '';
try {
  for (let n = 0; ; n++) {
    await queue.enqueue([{ id: `e${n}`, key: 'k', dueAt: 0, headers: null, payload: new Uint8Array(20_000) }]);
    accepted.push(`e${n}`);
  }
} catch (error) {
  failure = String(error);
}
const depth = await queue.depth();
await queue.close();
const again = await openEventQueue({ path, clock: systemClock, rememberMs: 1000 });
const after = await again.depth();
await again.close();
process.stdout.write(
  JSON.stringify({ failure, accepted: accepted.length, depth: depth.waiting, after: after.waiting }),
);
