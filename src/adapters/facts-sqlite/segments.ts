import type { DatabaseSync } from 'node:sqlite';
import type { Retention } from './wire.ts';

interface Segment {
  readonly firstSeq: number;
  nextSeq: number;
  bytes: number;
  readonly openedAt: number;
  writtenAt: number;
  highAt: number;
}

/** A sixteenth of what is kept is a segment, so that dropping the oldest one keeps at least 15 parts of 16. */
const PARTS = 16;
const MAX_SEGMENT_BYTES = 1024 * 1024;

/** The runs of facts that are dropped together when they are too old or too many. Mirrors the table `segments`. */
export class Segments {
  private readonly retention: Retention;
  private readonly sql: ReturnType<typeof prepareStatements>;
  private readonly segments: Segment[];
  private total: number;

  constructor(db: DatabaseSync, retention: Retention) {
    this.retention = retention;
    this.sql = prepareStatements(db);
    this.segments = this.sql.all.all().map((row) => ({
      firstSeq: Number(row['first_seq']),
      nextSeq: Number(row['next_seq']),
      bytes: Number(row['bytes']),
      openedAt: Number(row['opened_at']),
      writtenAt: Number(row['written_at']),
      highAt: Number(row['high_at']),
    }));
    this.total = this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** The sequence number of the next fact; numbers are never given twice, not even after everything was dropped. */
  get nextSeq(): number {
    return this.segments.at(-1)?.nextSeq ?? 1;
  }

  /** Facts below this number are all older than `since`. */
  firstSince(since: number): number {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.segments[middle]?.highAt ?? Infinity) < since) low = middle + 1;
      else high = middle;
    }
    return this.segments[low]?.firstSeq ?? this.nextSeq;
  }

  /** `count` facts were written from `nextSeq` on. */
  grow(count: number, bytes: number, latestAt: number, now: number): void {
    const segment = this.open(now);
    segment.nextSeq += count;
    segment.bytes += bytes;
    segment.writtenAt = now;
    segment.highAt = Math.max(segment.highAt, latestAt);
    this.total += bytes;
    this.save(segment);
  }

  /** Drops the oldest segment if it must go; true when it did (there may be another). */
  trimOne(now: number): boolean {
    const oldest = this.segments[0];
    if (oldest === undefined || oldest.bytes === 0) return false;
    const tooOld = oldest.writtenAt < now - this.retention.maxAgeMs;
    if (!tooOld && this.total <= this.retention.maxBytes) return false;
    this.sql.dropFacts.run(oldest.nextSeq);
    this.total -= oldest.bytes;
    if (this.segments.length === 1) {
      // The last one stays, empty, because it knows the next number.
      oldest.bytes = 0;
      this.save(oldest);
    } else {
      this.segments.shift();
      this.sql.drop.run(oldest.firstSeq);
    }
    return true;
  }

  private open(now: number): Segment {
    const last = this.segments.at(-1);
    const { maxAgeMs, maxBytes } = this.retention;
    const full =
      last === undefined ||
      last.bytes >= Math.min(MAX_SEGMENT_BYTES, maxBytes / PARTS) ||
      now - last.openedAt >= maxAgeMs / PARTS;
    if (last !== undefined && !full) return last;
    const firstSeq = this.nextSeq;
    const segment = {
      firstSeq,
      nextSeq: firstSeq,
      bytes: 0,
      openedAt: now,
      writtenAt: now,
      highAt: last?.highAt ?? 0,
    };
    if (last?.bytes === 0) {
      this.sql.drop.run(last.firstSeq);
      this.segments.pop();
    }
    this.segments.push(segment);
    return segment;
  }

  private save(segment: Segment): void {
    const { firstSeq, nextSeq, bytes, openedAt, writtenAt, highAt } = segment;
    this.sql.save.run(firstSeq, nextSeq, bytes, openedAt, writtenAt, highAt);
  }
}

function prepareStatements(db: DatabaseSync) {
  return {
    all: db.prepare('SELECT * FROM segments ORDER BY first_seq'),
    save: db.prepare(
      `INSERT OR REPLACE INTO segments (first_seq, next_seq, bytes, opened_at, written_at, high_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    drop: db.prepare('DELETE FROM segments WHERE first_seq = ?'),
    dropFacts: db.prepare('DELETE FROM facts WHERE seq < ?'),
  };
}
