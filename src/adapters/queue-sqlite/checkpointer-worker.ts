import { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';
import { threadOwner } from '../sqlite/node-thread.ts';

/**
 * A thread beside the writer: on each message it moves the pages of the write-ahead log into the database, while the
 * writer goes on committing. What the writer adds meanwhile is left for it (see writer-worker.ts).
 */
const { path } = workerData as { path: string };
const owner = threadOwner();
const db = new DatabaseSync(path, { timeout: 5000 });
db.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -2000');

owner.onMessage((message) => {
  if (message === 'close') {
    db.close();
    owner.close();
    return;
  }
  try {
    db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
    owner.post('done', []);
  } catch (error) {
    // A full disk: the log still holds everything, the next one tries again.
    owner.post(`failed: ${error instanceof Error ? error.message : String(error)}`, []);
  }
});
