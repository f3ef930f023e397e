import { packEvents } from './packed-events.ts';
import type { Outgoing, OutgoingEvents } from './queue-writer.ts';
import { joinBytes, type QueueCall } from './wire.ts';

/** What travels for these calls: `enqueue` calls in a row become one, the bytes of all one buffer. */
export function encodeCalls(outgoing: readonly Outgoing[]): {
  readonly calls: readonly QueueCall[];
  readonly bytes?: Uint8Array<ArrayBuffer>;
} {
  const calls: QueueCall[] = [];
  const payloads: Uint8Array[] = [];
  let row: OutgoingEvents[] = [];
  const endRow = (): void => {
    if (row.length === 0) return;
    calls.push({ op: 'enqueue', packed: packEvents(row) });
    row = [];
  };
  for (const each of outgoing) {
    for (const payload of each.payloads) payloads.push(payload);
    if (each.call.op === 'enqueue') {
      row.push(each.call);
      continue;
    }
    endRow();
    calls.push(each.call);
  }
  endRow();
  return payloads.length === 0 ? { calls } : { calls, bytes: joinBytes(payloads) };
}
