import { opsPath } from '../api/fc-client.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../failure.ts';
import { durationText, table } from '../terminal/text.ts';

interface QueueShape {
  readonly function: string;
  /** Results on their way to destinations, not invocations. */
  readonly deliveries: boolean;
  readonly waiting: number;
  readonly running: number;
  readonly oldestAcceptedAt?: number;
}

/** `tidemill queue`: accepted events that have not reached their end. */
export async function showQueue(context: Context, name: string | undefined): Promise<number> {
  const { queues } = await context.client.call<{ readonly queues: readonly QueueShape[] }>(
    'ShowQueue',
    'GET',
    opsPath`/queue`,
    { query: { function: name } },
  );
  const now = Date.now();
  context.output.answer({ queues }, () =>
    queues.length === 0
      ? 'no event waits or runs'
      : table(
          ['FUNCTION', 'WHAT', 'WAITING', 'RUNNING', 'OLDEST'],
          queues.map((one) => [
            one.function,
            one.deliveries ? 'deliveries' : 'events',
            String(one.waiting),
            String(one.running),
            one.oldestAcceptedAt === undefined ? '' : durationText(Math.max(0, now - one.oldestAcceptedAt)),
          ]),
        ),
  );
  return EXIT.ok;
}
