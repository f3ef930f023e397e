import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../sqlite/database.ts';

const SCHEMA_VERSION = 1;
const PRAGMAS = 'PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8000';

const SCHEMA = `
  CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE counter (only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL) STRICT;
  INSERT INTO counter VALUES (1, 0);
`;

/** From this size of the write-ahead log its pages are moved into the database, after answers have been sent. */
const CHECKPOINT_BYTES = 4 * 1024 * 1024;

/** Opens (or makes) the database for writing: write-ahead log, every commit synced to the disk. */
export function openForWriting(path: string): DatabaseSync {
  return openDatabase(path, { schema: SCHEMA, version: SCHEMA_VERSION, pragmas: PRAGMAS });
}

/** A second connection that only reads: it sees a change exactly when its commit is on disk. */
export function openForReading(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5000, readOnly: true });
  db.exec('PRAGMA cache_size = -8000');
  return db;
}

/** Moves the log's pages into the database when it has grown; never waits for readers. */
export function checkpointIfLarge(db: DatabaseSync, path: string): void {
  const size = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size < CHECKPOINT_BYTES) return;
  db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
}
