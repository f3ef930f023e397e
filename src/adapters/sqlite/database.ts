import { DatabaseSync } from 'node:sqlite';

/** How one adapter keeps its database. */
export interface DatabaseShape {
  /** SQL that makes the tables of a new file. */
  readonly schema: string;
  /** Grows with every change of the schema. */
  readonly version: number;
  /** Pragmas beside those that make a commit durable. */
  readonly pragmas: string;
  /** SQL that brings a file of version `n` to `n + 1`, by `n`. A version that is not in it cannot be brought further. */
  readonly upgrades?: Readonly<Record<number, string>>;
}

/**
 * Opens (or makes) a database for writing: write-ahead log, every commit synced to the disk. A file of an earlier release is
 * brought up to date, in one transaction. Throws, saying so, when another release wrote it.
 */
export function openDatabase(path: string, shape: DatabaseShape): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${shape.pragmas}`);
  const found = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (found === 0) db.exec(`BEGIN IMMEDIATE; ${shape.schema} PRAGMA user_version = ${shape.version}; COMMIT`);
  else if (found !== shape.version) upgrade(db, shape, found);
  return db;
}

function upgrade(db: DatabaseSync, shape: DatabaseShape, found: number): void {
  const steps: string[] = [];
  for (let version = found; version < shape.version; version++) {
    const step = shape.upgrades?.[version];
    if (step !== undefined) steps.push(step);
  }
  if (found > shape.version || steps.length < shape.version - found) {
    db.close();
    throw new Error(`schema version ${found} was written by another release; this one knows ${shape.version}`);
  }
  inTransaction(db, () => db.exec(`${steps.join('\n')} PRAGMA user_version = ${shape.version};`));
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
