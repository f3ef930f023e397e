import { statSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { type BatchHandler, serveBatches } from '../../core/base/batch-thread.ts';
import { inTransaction } from '../sqlite/database.ts';
import { openQueueDatabase } from './database.ts';
import { startThread, threadOwner } from '../sqlite/node-thread.ts';
import { QueueTables } from './queue-tables.ts';
import { type EnqueueCall, joinBytes, type QueueCall } from './wire.ts';

/** From this size of the write-ahead log the checkpointer is asked to work it off. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;
/** From this size the writer makes the rest of the checkpoint itself, so that the log starts again from its beginning. */
const RESTART_BYTES = 4 * CHECKPOINT_BYTES;
/** Batches between two looks at the size of the log. */
const LOOK_EVERY = 16;

/** Keeps the write-ahead log short without holding up commits: the bulk is moved by another thread. */
function makeCheckpoints(path: string, finish: () => void) {
  const thread = startThread(import.meta.url, 'checkpointer-worker', { path });
  thread.hold(false);
  let asked = false;
  let gone = false;
  let batches = 0;
  const logBytes = () => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  thread.onMessage(() => {
    asked = false;
    // The log restarts only when a commit finds all of it moved; after the other thread's work little is left to move.
    if (logBytes() >= RESTART_BYTES) finish();
  });
  thread.onEnd(() => {
    gone = true;
  });
  return {
    look() {
      if (++batches % LOOK_EVERY !== 0 || asked) return;
      if (logBytes() < CHECKPOINT_BYTES) return;
      if (gone) {
        finish();
        return;
      }
      asked = true;
      thread.post('checkpoint', []);
    },
    close: () => thread.post('close', []),
  };
}

function payloadsOf(call: EnqueueCall, bytes: Uint8Array | undefined, start: number): Uint8Array[] {
  let offset = start;
  return call.events.map((event) => {
    const payload = bytes?.subarray(offset, offset + event.size) ?? new Uint8Array(0);
    offset += event.size;
    return payload;
  });
}

function openWriter(path: string, rememberMs: number, release: () => void): BatchHandler<QueueCall> {
  const db = openQueueDatabase(path);
  const tables = new QueueTables(db, rememberMs);
  const checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  const checkpoints = makeCheckpoints(path, () => void checkpoint.get());

  function runAll(calls: readonly QueueCall[], bytes: Uint8Array | undefined, leased: Uint8Array[]): unknown[] {
    let read = 0;
    let written = 0;
    return calls.map((call) => {
      switch (call.op) {
        case 'enqueue': {
          const payloads = payloadsOf(call, bytes, read);
          for (const payload of payloads) read += payload.byteLength;
          return tables.enqueue(call, payloads);
        }
        case 'lease':
          return tables.lease(call, leased).map((lease) => {
            const offset = written;
            written += lease.size;
            return { ...lease, offset };
          });
        case 'renew':
          return tables.renew(call.id, call.epoch, call.expiresAt);
        case 'retry':
          return tables.retry(call.id, call.epoch, call.dueAt, call.countAttempt);
        case 'settle':
          return tables.settle(call.id, call.epoch, call.now);
        case 'depth':
          return tables.depth(call.key);
        case 'next-due':
          return tables.nextDue();
      }
    });
  }

  return {
    run(calls, bytes) {
      const leased: Uint8Array[] = [];
      try {
        const answers = inTransaction(db, () => runAll(calls, bytes, leased));
        return leased.length === 0 ? { answers } : { answers, bytes: joinBytes(leased) };
      } catch (error) {
        tables.reload();
        throw error;
      }
    },
    afterwards: () => checkpoints.look(),
    close() {
      checkpoints.close();
      db.close();
      release();
    },
  };
}

const owner = threadOwner();
const { path, rememberMs } = workerData as { path: string; rememberMs: number };
serveBatches<QueueCall>(owner, () => openWriter(path, rememberMs, () => owner.close()));
