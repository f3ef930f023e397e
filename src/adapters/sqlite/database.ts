import { DatabaseSync } from 'node:sqlite';

/** How one adapter keeps its database. */
export interface DatabaseShape {
  /** SQL that makes the tables of a new file. */
  readonly schema: string;
  /** Grows with every change of the schema. */
  readonly version: number;
  /** Pragmas beside those that make a commit durable. */
  readonly pragmas: string;
}

/**
 * Opens (or makes) a database for writing: write-ahead log, every commit synced to the disk. Throws, saying so, when another
 * release wrote it.
 */
export function openDatabase(path: string, shape: DatabaseShape): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${shape.pragmas}`);
  const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
  if (version === 0) db.exec(`BEGIN IMMEDIATE; ${shape.schema} PRAGMA user_version = ${shape.version}; COMMIT`);
  else if (version !== shape.version) {
    db.close();
    throw new Error(
      `schema version ${String(version)} was written by another release; this one knows ${shape.version}`,
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
