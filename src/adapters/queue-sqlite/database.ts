import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../sqlite/database.ts';

const SCHEMA_VERSION = 2;
const PRAGMAS = 'PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32000';

/**
 * `events` never changes once written, so leasing or retrying an event does not rewrite its payload. An unsettled event
 * stands in exactly one of `waiting` and `leased`. `ids` remembers every id, settled ones until they are forgotten.
 * Seeking starts at (key, due) in `waiting`: what other keys hold, however much, lies elsewhere in the tree.
 */
const EVENTS = `
  CREATE TABLE keys (key_id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, id TEXT NOT NULL,
    accepted_at INTEGER NOT NULL, headers TEXT NOT NULL, payload BLOB NOT NULL, task INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX events_by_key ON events (key_id);
  CREATE TABLE waiting (
    key_id INTEGER NOT NULL, due_at INTEGER NOT NULL, seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL, epoch INTEGER NOT NULL, failures INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, due_at, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE leased (
    seq INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL, epoch INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, task INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX leased_by_expiry ON leased (expires_at);
  CREATE TABLE ids (id TEXT PRIMARY KEY, seq INTEGER, settled_at INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX ids_by_settlement ON ids (settled_at) WHERE settled_at IS NOT NULL;
`;

/**
 * `ended` holds recorded ends until they were told. `tasks` holds the events that are followed as tasks, by the name of the
 * function and their own; `seq` is the event as long as it has not ended. `letters` holds dead letters.
 */
const ENDS = `
  CREATE TABLE ended (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, headers TEXT NOT NULL, accepted_at INTEGER NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, message TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE tasks (
    number INTEGER PRIMARY KEY, owner TEXT NOT NULL, task_id TEXT NOT NULL, qualifier TEXT NOT NULL,
    status TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, seq INTEGER, due_at INTEGER NOT NULL,
    document TEXT NOT NULL, payload BLOB, result BLOB
  ) STRICT;
  CREATE UNIQUE INDEX tasks_by_name ON tasks (owner, task_id);
  CREATE INDEX tasks_by_owner ON tasks (owner);
  CREATE INDEX tasks_by_status ON tasks (owner, status);
  CREATE INDEX tasks_by_end ON tasks (ended_at) WHERE ended_at IS NOT NULL;
  CREATE TABLE letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, function_name TEXT NOT NULL, state TEXT NOT NULL,
    at INTEGER NOT NULL, accepted_at INTEGER NOT NULL, cause TEXT NOT NULL, headers TEXT NOT NULL, payload BLOB NOT NULL
  ) STRICT;
  CREATE INDEX letters_by_account ON letters (account);
  CREATE INDEX letters_by_function ON letters (account, function_name);
  CREATE INDEX letters_by_age ON letters (at);
`;

const FROM_1 = `
  ALTER TABLE events ADD COLUMN task INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE waiting ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE leased ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE leased ADD COLUMN task INTEGER NOT NULL DEFAULT 0;
  ${ENDS}
`;

/** Opens (or makes) the queue's database: write-ahead log, every commit synced to the disk; checkpoints are made elsewhere. */
export function openQueueDatabase(path: string): DatabaseSync {
  const upgrades = { 1: FROM_1 };
  return openDatabase(path, { schema: EVENTS + ENDS, version: SCHEMA_VERSION, pragmas: PRAGMAS, upgrades });
}
