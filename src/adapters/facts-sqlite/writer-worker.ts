import type { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';
import { type BatchHandler, serveBatches } from '../../core/base/batch-thread.ts';
import type { Fact } from '../../core/domain/fact.ts';
import { inTransaction } from '../sqlite/database.ts';
import { openLogDatabase } from './database.ts';
import { LogReader } from './log-reader.ts';
import { threadOwner } from '../sqlite/node-thread.ts';
import { hashRequestId } from './request-hash.ts';
import { Segments } from './segments.ts';
import type { LogCall, Retention } from './wire.ts';

/** What a fact takes on disk beside its text: row, two index entries, share of half-filled pages. */
const ROW_OVERHEAD_BYTES = 120;

class LogWriter {
  private readonly db: DatabaseSync;
  private readonly retention: Retention;
  private readonly insert: ReturnType<DatabaseSync['prepare']>;
  private readonly streamId: ReturnType<DatabaseSync['prepare']>;
  private readonly addStream: ReturnType<DatabaseSync['prepare']>;
  private segments: Segments;

  constructor(db: DatabaseSync, retention: Retention) {
    this.db = db;
    this.retention = retention;
    db.exec('DELETE FROM streams WHERE NOT EXISTS (SELECT 1 FROM facts WHERE facts.stream_id = streams.stream_id)');
    this.insert = db.prepare('INSERT INTO facts (seq, stream_id, type, request_hash, body) VALUES (?, ?, ?, ?, ?)');
    this.streamId = db.prepare('SELECT stream_id FROM streams WHERE name = ?');
    this.addStream = db.prepare('INSERT INTO streams (name) VALUES (?)');
    this.segments = new Segments(db, retention);
  }

  get log(): Segments {
    return this.segments;
  }

  append(lines: string, now: number): void {
    this.whole(() => {
      let seq = this.segments.nextSeq;
      const first = seq;
      let bytes = 0;
      let latestAt = 0;
      for (const body of lines.split('\n')) {
        const fact = JSON.parse(body) as Fact;
        const request = 'requestId' in fact ? hashRequestId(fact.requestId) : null;
        this.insert.run(seq++, this.stream(`${fact.account}/${fact.functionName}`), fact.type, request, body);
        bytes += body.length + ROW_OVERHEAD_BYTES;
        latestAt = Math.max(latestAt, fact.at);
      }
      this.segments.grow(seq - first, bytes, latestAt, now);
    });
  }

  /** Drops at most one segment, so that a flush waiting behind is not held up; true when there may be more to drop. */
  trim(now: number): boolean {
    return this.whole(() => this.segments.trimOne(now));
  }

  private whole<T>(work: () => T): T {
    try {
      return inTransaction(this.db, work);
    } catch (error) {
      this.segments = new Segments(this.db, this.retention);
      throw error;
    }
  }

  private stream(name: string): number {
    const known = this.streamId.get(name)?.['stream_id'];
    return Number(known ?? this.addStream.run(name).lastInsertRowid);
  }
}

function openWriter(path: string, retention: Retention, release: () => void): BatchHandler<LogCall> {
  const db = openLogDatabase(path);
  const writer = new LogWriter(db, retention);
  const reader = new LogReader(db);
  let trimAt: number | undefined;

  function answer(call: LogCall): unknown {
    switch (call.op) {
      case 'append':
        trimAt = call.now;
        return writer.append(call.lines, call.now);
      case 'read':
        return reader.read(call.query, writer.log);
      case 'trim':
        while (writer.trim(call.now));
        return undefined;
    }
  }

  return {
    run: (calls) => ({ answers: calls.map(answer) }),
    afterwards() {
      if (trimAt === undefined) return;
      try {
        if (!writer.trim(trimAt)) trimAt = undefined;
      } catch {
        // Dropping old facts failed, on a failing disk: the next flush meets the same trouble and reports it.
        trimAt = undefined;
      }
    },
    close() {
      db.close();
      release();
    },
  };
}

const owner = threadOwner();
const { path, retention } = workerData as { path: string; retention: Retention };
serveBatches<LogCall>(owner, () => openWriter(path, retention, () => owner.close()));
