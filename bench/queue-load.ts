import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../src/adapters/clock-system/index.ts';
import { openEventQueue } from '../src/adapters/queue-sqlite/index.ts';
import { newRequestId } from '../src/core/base/ids.ts';
import type { EventQueue, NewEvent } from '../src/core/ports/event-queue.ts';

const ACCOUNT = '1000000000000000';
const BATCH = 1_000;
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

/** Request ids as `count` requests get them, 30,000 a second from now on. */
export function requestIds(count: number): readonly string[] {
  const now = systemClock.now();
  return Array.from({ length: count }, (_, n) => newRequestId(systemRandom, now + n / 30));
}

/** Enqueues `count` such events as fast as it goes, a thousand a call. */
export async function fill(queue: EventQueue, key: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) {
    await queue.enqueue(requestIds(Math.min(left, BATCH)).map((requestId) => eventOf(requestId, key)));
  }
}

function eventOf(requestId: string, key: string): NewEvent {
  const lineage = { hops: 0, rootRequestId: requestId };
  const target = { account: ACCOUNT, functionName: 'f', qualifier: 'LATEST' };
  const headers = { requestId, taskId: requestId, ...target, lineage };
  return { id: `${ACCOUNT}/${key}#task:${requestId}`, key, dueAt: systemClock.now(), headers, payload: PAYLOAD };
}

/**
 * Enqueues events of 300 bytes one by one, `inFlight` callers at a time, each waiting until its event is on disk. Ids and
 * headers are those of asynchronous invocations.
 */
export async function accept(
  queue: EventQueue,
  load: { readonly ids: readonly string[]; readonly inFlight: number; readonly key: string },
): Promise<void> {
  const ids = load.ids.values();
  const caller = async (): Promise<void> => {
    for (const requestId of ids) await queue.enqueue([eventOf(requestId, load.key)]);
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
