import { statSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { type BatchHandler, serveBatches } from '../../core/base/batch-thread.ts';
import { inTransaction } from '../sqlite/database.ts';
import { openQueueDatabase } from './database.ts';
import { startThread, threadOwner } from '../sqlite/node-thread.ts';
import type { LetterBounds } from './letter-rows.ts';
import { QueueTables } from './queue-tables.ts';
import { runCalls } from './run-calls.ts';
import { joinBytes, type QueueCall } from './wire.ts';

interface WriterData {
  readonly path: string;
  readonly rememberMs: number;
  readonly letters: LetterBounds;
}

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

function openWriter({ path, rememberMs, letters }: WriterData, release: () => void): BatchHandler<QueueCall> {
  const db = openQueueDatabase(path);
  const tables = new QueueTables(db, rememberMs, letters);
  const checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  const checkpoints = makeCheckpoints(path, () => void checkpoint.get());
  return {
    run(calls, bytes) {
      try {
        const { answers, parts } = inTransaction(db, () => runCalls(tables, calls, bytes));
        return parts.length === 0 ? { answers } : { answers, bytes: joinBytes(parts) };
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
serveBatches<QueueCall>(owner, () => openWriter(workerData as WriterData, () => owner.close()));
