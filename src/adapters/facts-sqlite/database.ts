import { DatabaseSync } from 'node:sqlite';

const SCHEMA_VERSION = 1;

/**
 * `segments` are runs of consecutive facts, the unit of retention: `high_at` is the latest time of any fact up to the
 * segment's end, so a reader that wants facts since a time can leave all segments below it out.
 */
const SCHEMA = `
  CREATE TABLE streams (stream_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE facts (
    seq INTEGER PRIMARY KEY, stream_id INTEGER NOT NULL, type TEXT NOT NULL, request_hash INTEGER, body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX facts_by_stream ON facts (stream_id, type);
  CREATE INDEX facts_by_request ON facts (request_hash) WHERE request_hash IS NOT NULL;
  CREATE TABLE segments (
    first_seq INTEGER PRIMARY KEY, next_seq INTEGER NOT NULL, bytes INTEGER NOT NULL,
    opened_at INTEGER NOT NULL, written_at INTEGER NOT NULL, high_at REAL NOT NULL
  ) STRICT;
`;

/** Opens (or makes) the log's database: write-ahead log, every commit (one per flush) synced to the disk. */
export function openLogDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  db.exec('PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -16000');
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (version === 0) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  else if (version !== SCHEMA_VERSION) {
    db.close();
    throw new Error(
      `schema version ${String(version)} was written by another release; this one knows ${SCHEMA_VERSION}`,
    );
  }
  return db;
}

/** Runs `work` as one transaction: all of it is on disk when this returns, or none of it and it throws. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // A full disk makes SQLite roll back by itself; then there is nothing left to undo.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
