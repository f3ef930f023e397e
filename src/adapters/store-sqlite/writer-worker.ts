import { workerData } from 'node:worker_threads';
import { serveBatches } from '../../core/base/batch-thread.ts';
import type { WriteResult } from '../../core/ports/metadata-store.ts';
import { inTransaction } from '../sqlite/database.ts';
import { checkpointIfLarge, openForWriting } from './database.ts';
import { threadOwner } from '../sqlite/node-thread.ts';

/** One write: `text` is the JSON of the new value, or undefined to delete. */
export interface StoreWrite {
  readonly key: string;
  readonly text: string | undefined;
  readonly expect: number | undefined;
}

function openWriter(path: string, release: () => void) {
  const db = openForWriting(path);
  const readRevision = db.prepare('SELECT revision FROM counter');
  const writeRevision = db.prepare('UPDATE counter SET revision = ?');
  const current = db.prepare('SELECT revision FROM entries WHERE key = ?');
  const upsert = db.prepare('INSERT OR REPLACE INTO entries (key, value, revision) VALUES (?, ?, ?)');
  const remove = db.prepare('DELETE FROM entries WHERE key = ?');

  function apply(write: StoreWrite, revision: number): WriteResult {
    const actual = Number(current.get(write.key)?.['revision'] ?? 0);
    if (write.expect !== undefined && write.expect !== actual) return { ok: false, actual };
    if (write.text !== undefined) upsert.run(write.key, write.text, revision);
    else if (actual === 0) return { ok: true, revision: 0 };
    else remove.run(write.key);
    return { ok: true, revision };
  }

  return {
    run: (writes: readonly StoreWrite[]) => ({
      answers: inTransaction(db, () => {
        const before = Number(readRevision.get()?.['revision']);
        let revision = before;
        const answers = writes.map((write) => {
          const answer = apply(write, revision + 1);
          if (answer.ok && answer.revision > 0) revision = answer.revision;
          return answer;
        });
        if (revision !== before) writeRevision.run(revision);
        return answers;
      }),
    }),
    afterwards: () => checkpointIfLarge(db, path),
    close() {
      db.close();
      release();
    },
  };
}

const owner = threadOwner();
const { path } = workerData as { path: string };
serveBatches<StoreWrite>(owner, () => openWriter(path, () => owner.close()));
