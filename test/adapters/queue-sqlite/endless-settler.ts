import { systemClock } from '../../../src/adapters/clock-system/index.ts';
import { openEventQueue } from '../../../src/adapters/queue-sqlite/index.ts';
import type { LetterCause } from '../../../src/core/domain/dead-letter.ts';

/** Enqueues, leases and settles until it is killed; says the id of each event whose end was answered. */
const [path = ''] = process.argv.slice(2);
const queue = await openEventQueue({ path, clock: systemClock, rememberMs: 1e9 });
const payload = new TextEncoder().encode('payload');
for (let round = 0; ; round++) {
  const ids = Array.from({ length: 20 }, (_, n) => `e-${round}-${n}`);
  await queue.enqueue(ids.map((id) => ({ id, key: 'acc/f', dueAt: 0, headers: { id }, payload })));
  const leased = await queue.lease({ max: 20, leaseMs: 1e6, now: systemClock.now(), skip: new Set(['acc/f#done']) });
  await Promise.all(
    leased.map(async (event, n) => {
      const follower = { id: `after-${event.id}`, key: 'acc/f#done', dueAt: 0, headers: { of: event.id }, payload };
      const letter: LetterCause = {
        ...{ account: 'acc', functionName: 'f', kind: 'invocation', state: 'Failed', requestId: event.id },
        ...{ taskId: event.id, qualifier: 'LATEST', message: '', attempts: 1 },
      };
      const end = n % 2 === 0 ? { followers: [follower] } : { followers: [], letter };
      const state = n % 2 === 0 ? 'Succeeded' : 'Failed';
      if (await queue.settle(event, { state, attempts: 1, message: '', ...end })) process.stdout.write(`${event.id}\n`);
    }),
  );
}
