import { DatabaseSync } from 'node:sqlite';

/**
 * A `body` is the bytes of an object or of a part: pieces in order, each naming a content file. Bodies of copies share
 * content files; a content file without a piece is garbage. `event` is the outbox: rows appear in the transaction of the
 * change they tell of. A bucket counts its objects, and the bytes of objects and parts. `lineage` of an object is that of the function that wrote it; NULL: it was written from outside.
 */
const TABLES = `
CREATE TABLE IF NOT EXISTS bucket (
  name TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  acl TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  objects INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS body (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  size INTEGER NOT NULL,
  etag TEXT NOT NULL,
  crc64 TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS piece (
  body INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  content TEXT NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY (body, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS piece_content ON piece (content);
CREATE TABLE IF NOT EXISTS object (
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  body INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  system_headers TEXT NOT NULL,
  user_meta TEXT NOT NULL,
  last_modified INTEGER NOT NULL,
  lineage TEXT,
  PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload (
  id TEXT PRIMARY KEY,
  bucket TEXT NOT NULL,
  key TEXT NOT NULL,
  content_type TEXT NOT NULL,
  system_headers TEXT NOT NULL,
  user_meta TEXT NOT NULL,
  initiated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS upload_key ON upload (bucket, key, id);
CREATE TABLE IF NOT EXISTS part (
  upload TEXT NOT NULL,
  number INTEGER NOT NULL,
  body INTEGER NOT NULL,
  last_modified INTEGER NOT NULL,
  PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  data TEXT NOT NULL
) STRICT;
`;

/**
 * Opens the metadata of the object store; every commit is on disk when it returns. Throws while another process has it open:
 * that one's uploads under way would look like orphans to the sweep of this one.
 */
export function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 1000 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    // In exclusive mode the first write takes the lock, and keeps it until the database is closed or its process dies.
    database.exec(`BEGIN IMMEDIATE; ${TABLES} COMMIT;`);
    addLineage(database);
    addCounts(database);
    return database;
  } catch (error) {
    database.close();
    throw new Error(`the object store ${path} cannot be opened, another process may have it open`, { cause: error });
  }
}

/** Stores made before objects knew who wrote them. */
function addLineage(database: DatabaseSync): void {
  const columns = database.prepare('PRAGMA table_info(object)').all();
  if (columns.some((column) => column['name'] === 'lineage')) return;
  database.exec('ALTER TABLE object ADD COLUMN lineage TEXT');
}

/** Stores made before buckets counted what is in them. */
function addCounts(database: DatabaseSync): void {
  const columns = database.prepare('PRAGMA table_info(bucket)').all();
  if (columns.some((column) => column['name'] === 'objects')) return;
  database.exec(`
    BEGIN IMMEDIATE;
    ALTER TABLE bucket ADD COLUMN objects INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE bucket ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
    UPDATE bucket SET
      objects = (SELECT count(*) FROM object o WHERE o.bucket = bucket.name),
      bytes = (SELECT coalesce(sum(b.size), 0) FROM object o JOIN body b ON b.id = o.body WHERE o.bucket = bucket.name)
        + (SELECT coalesce(sum(b.size), 0) FROM upload u JOIN part p ON p.upload = u.id JOIN body b ON b.id = p.body
           WHERE u.bucket = bucket.name);
    COMMIT;`);
}
