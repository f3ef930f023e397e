import type { QueueTables } from './queue-tables.ts';
import { OutgoingBytes, type QueueCall, sizesOf } from './wire.ts';

/** Runs calls inside an open transaction; `bytes` holds those of all calls. Answers one value per call, and their bytes. */
export function runCalls(
  tables: QueueTables,
  calls: readonly QueueCall[],
  bytes: Uint8Array | undefined,
): { readonly answers: readonly unknown[]; readonly parts: readonly Uint8Array[] } {
  let read = 0;
  const outgoing = new OutgoingBytes();
  const answers = calls.map((call) => {
    const payloads = sizesOf(call).map((size) => {
      read += size;
      return bytes?.subarray(read - size, read) ?? new Uint8Array(0);
    });
    return run(tables, call, payloads, outgoing);
  });
  return { answers, parts: outgoing.parts };
}

function run(tables: QueueTables, call: QueueCall, payloads: readonly Uint8Array[], outgoing: OutgoingBytes): unknown {
  const { tasks, letters } = tables;
  switch (call.op) {
    case 'enqueue':
      return tables.enqueue(call, payloads);
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
