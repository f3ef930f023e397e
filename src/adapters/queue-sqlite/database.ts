import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../sqlite/database.ts';

const SCHEMA_VERSION = 1;
const PRAGMAS = 'PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32000';

/**
 * `events` never changes once written, so leasing or retrying an event does not rewrite its payload. An unsettled event
 * stands in exactly one of `waiting` and `leased`. `ids` remembers every id, settled ones until they are forgotten.
 * Seeking starts at (key, due) in `waiting`: what other keys hold, however much, lies elsewhere in the tree.
 */
const SCHEMA = `
  CREATE TABLE keys (key_id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, id TEXT NOT NULL,
    accepted_at INTEGER NOT NULL, headers TEXT NOT NULL, payload BLOB NOT NULL
  ) STRICT;
  CREATE INDEX events_by_key ON events (key_id);
  CREATE TABLE waiting (
    key_id INTEGER NOT NULL, due_at INTEGER NOT NULL, seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL, epoch INTEGER NOT NULL,
    PRIMARY KEY (key_id, due_at, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE leased (
    seq INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL, epoch INTEGER NOT NULL, expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX leased_by_expiry ON leased (expires_at);
  CREATE TABLE ids (id TEXT PRIMARY KEY, seq INTEGER, settled_at INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX ids_by_settlement ON ids (settled_at) WHERE settled_at IS NOT NULL;
`;

/** Opens (or makes) the queue's database: write-ahead log, every commit synced to the disk; checkpoints are made elsewhere. */
export function openQueueDatabase(path: string): DatabaseSync {
  return openDatabase(path, { schema: SCHEMA, version: SCHEMA_VERSION, pragmas: PRAGMAS });
}
