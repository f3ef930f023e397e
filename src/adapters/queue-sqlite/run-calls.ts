import type { QueueTables } from './queue-tables.ts';
import { unpackEvents } from './packed-events.ts';
import {
  ALL_ACCEPTED,
  type EnqueueAnswer,
  type EnqueueCall,
  OutgoingBytes,
  type QueueCall,
  type SingleCall,
  sizesOf,
} from './wire.ts';

/**
 * Runs calls inside an open transaction; `bytes` holds those of all calls. Answers one value per call (per call before packing),
 * and their bytes.
 */
export function runCalls(
  tables: QueueTables,
  calls: readonly QueueCall[],
  bytes: Uint8Array | undefined,
): { readonly answers: readonly unknown[]; readonly parts: readonly Uint8Array[] } {
  let read = 0;
  const outgoing = new OutgoingBytes();
  const answers: unknown[] = [];
  const cut = (size: number): Uint8Array => {
    read += size;
    return bytes?.subarray(read - size, read) ?? new Uint8Array(0);
  };
  for (const call of calls) {
    if (call.op === 'enqueue') for (const answer of enqueue(tables, call, cut)) answers.push(answer);
    else answers.push(run(tables, call, sizesOf(call).map(cut), outgoing));
  }
  return { answers, parts: outgoing.parts };
}

/** One answer for each of the calls that were packed. */
function enqueue(tables: QueueTables, call: EnqueueCall, cut: (size: number) => Uint8Array): EnqueueAnswer[] {
  const { counts, events } = unpackEvents(call.packed, cut);
  const duplicates = tables.enqueue(events);
  let first = 0;
  return counts.map((count) => {
    first += count;
    if (duplicates.size === 0) return ALL_ACCEPTED;
    const outcomes = Array.from({ length: count }, (_, n) =>
      duplicates.has(first - count + n) ? ('duplicate' as const) : ('accepted' as const),
    );
    return outcomes.includes('duplicate') ? outcomes : ALL_ACCEPTED;
  });
}

function run(tables: QueueTables, call: SingleCall, payloads: readonly Uint8Array[], outgoing: OutgoingBytes): unknown {
  const { tasks, letters } = tables;
  switch (call.op) {
    case 'lease':
      return tables.lease(call, outgoing);
    case 'take-over':
      return tables.takeOver(call, outgoing);
    case 'renew':
      return tables.renew(call.id, call.epoch, call.expiresAt);
    case 'retry':
      return tables.retry(call);
    case 'settle':
      return tables.settle(call, payloads);
    case 'untold':
      return tables.untold(call.limit);
    case 'told':
      return tables.told(call.number);
    case 'depth':
      return tables.depth(call.key);
    case 'depths':
      return tables.depths(call.limit);
    case 'next-due':
      return tables.nextDue();
    case 'task-running':
      return tables.taskRuns(call.id, call.epoch, call.instanceId, call.now);
    case 'task-stop':
      return tables.stop(call.owner, call.taskId, call.now);
    case 'task-get':
      return tasks.get(call.owner, call.taskId, outgoing);
    case 'task-list':
      return tasks.list(call.owner, call.query, outgoing);
    case 'letter-list':
      return letters.list(call.query, call.now);
    case 'letter-get':
      return letters.get(call.account, call.number, outgoing);
    case 'letter-remove':
      return letters.remove(call.account, call.number);
    case 'letter-redrive':
      return tables.redrive(call, payloads[0] ?? new Uint8Array(0));
    case 'letter-counts':
      return letters.counts();
  }
}
