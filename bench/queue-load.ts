import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/adapters/clock-system/index.ts';
import { openEventQueue } from '../src/adapters/queue-sqlite/index.ts';
import type { EventQueue } from '../src/core/ports/event-queue.ts';

const PAYLOAD = new Uint8Array(300).fill(97);

/** A queue in a folder of its own under the system's temporary one; the folder goes when `work` ends. */
export async function withQueueFolder<T>(
  work: (open: () => Promise<EventQueue>, path: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const path = join(folder, 'queue.db');
  try {
    return await work(() => openEventQueue({ path, clock: systemClock, rememberMs: 3_600_000 }), path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Enqueues events of 300 bytes one by one, `inFlight` callers at a time, each waiting until its event is on disk. */
export async function accept(
  queue: EventQueue,
  load: { readonly count: number; readonly inFlight: number; readonly name: string; readonly key: string },
): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < load.count) {
      const requestId = `1-65e571bc-${load.name}-${next++}`;
      const lineage = { hops: 0, rootRequestId: requestId };
      const headers = { requestId, taskId: requestId, account: 'a', functionName: 'f', qualifier: 'LATEST', lineage };
      await queue.enqueue([{ id: requestId, key: load.key, dueAt: 0, headers, payload: PAYLOAD }]);
    }
  };
  await Promise.all(Array.from({ length: load.inFlight }, caller));
}

/** CPU milliseconds of this process, all its threads, while `work` runs; and how long that took. */
export async function costOf(work: () => Promise<unknown>): Promise<{ cpuMs: number; wallMs: number }> {
  const [begin, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1000, wallMs: performance.now() - begin };
}
