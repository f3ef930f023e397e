import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../sqlite/database.ts';

const SCHEMA_VERSION = 1;
const PRAGMAS = 'PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -16000';

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
  return openDatabase(path, { schema: SCHEMA, version: SCHEMA_VERSION, pragmas: PRAGMAS });
}
