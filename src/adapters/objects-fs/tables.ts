import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { TidemillError } from '../../core/domain/errors.ts';
import type {
  BucketDetails,
  ObjectEvent,
  ObjectHeaders,
  ObjectInfo,
  ObjectQuotas,
  WriteCondition,
  WriteContext,
} from '../../core/ports/object-store.ts';
import type { Piece } from './content-files.ts';
import { Usage } from './usage.ts';
import { headerColumns, integer, type ObjectRow, text, toBucket, toObject } from './rows.ts';

export const OBJECT_COLUMNS = `o.bucket, o.key, o.body, o.content_type, o.system_headers, o.user_meta, o.last_modified, o.lineage,
  b.size, b.etag, b.crc64 FROM object o JOIN body b ON b.id = o.body`;

export interface NewBody {
  readonly size: number;
  readonly etag: string;
  readonly crc64: string;
  readonly pieces: readonly Piece[];
}

/** What a change needs to tell the outbox. */
export interface EventDetails {
  readonly eventName: string;
  readonly info: ObjectInfo;
  readonly deltaSize: number;
  readonly context: WriteContext;
}

/** The statements that several operations share. Everything here is synchronous and belongs inside a transaction. */
export class Tables {
  private readonly statements = new Map<string, StatementSync>();
  readonly usage: Usage;
  private readonly database: DatabaseSync;

  constructor(database: DatabaseSync, quotasOf: (account: string) => ObjectQuotas) {
    this.database = database;
    this.usage = new Usage(this, quotasOf);
  }

  /** A prepared statement, prepared once per SQL text. */
  sql(source: string): StatementSync {
    let statement = this.statements.get(source);
    if (statement === undefined) {
      statement = this.database.prepare(source);
      this.statements.set(source, statement);
    }
    return statement;
  }

  bucket(name: string): BucketDetails | undefined {
    const row = this.sql('SELECT * FROM bucket WHERE name = ?').get(name);
    return row === undefined ? undefined : toBucket(row);
  }

  requireBucket(name: string): BucketDetails {
    const bucket = this.bucket(name);
    if (bucket === undefined)
      throw new TidemillError('NoSuchBucket', `The bucket "${name.slice(0, 100)}" does not exist`);
    return bucket;
  }

  object(bucket: string, key: string): ObjectRow | undefined {
    const row = this.sql(`SELECT ${OBJECT_COLUMNS} WHERE o.bucket = ? AND o.key = ?`).get(bucket, key);
    return row === undefined ? undefined : toObject(row);
  }

  pieces(body: number): Piece[] {
    return this.sql('SELECT content, size FROM piece WHERE body = ? ORDER BY ordinal')
      .all(body)
      .map((row) => ({ content: text(row, 'content'), size: integer(row, 'size') }));
  }

  insertBody(body: NewBody): number {
    const result = this.sql('INSERT INTO body (size, etag, crc64) VALUES (?, ?, ?)').run(
      body.size,
      body.etag,
      body.crc64,
    );
    const id = Number(result.lastInsertRowid);
    const insert = this.sql('INSERT INTO piece (body, ordinal, content, size) VALUES (?, ?, ?, ?)');
    body.pieces.forEach((piece, ordinal) => insert.run(id, ordinal, piece.content, piece.size));
    return id;
  }

  /** Removes a body; gives back the content files that nothing refers to any more, to be discarded after the commit. */
  dropBody(body: number): string[] {
    const pieces = this.pieces(body);
    this.sql('DELETE FROM piece WHERE body = ?').run(body);
    this.sql('DELETE FROM body WHERE id = ?').run(body);
    return pieces.map((piece) => piece.content).filter((content) => !this.isReferenced(content));
  }

  isReferenced(content: string): boolean {
    return this.sql('SELECT 1 FROM piece WHERE content = ? LIMIT 1').get(content) !== undefined;
  }

  /** Makes `body` the object at the key, with its event. Gives back freed content files. */
  placeObject(
    place: { bucket: string; key: string; body: number; at: number; eventName: string; headers: ObjectHeaders },
    condition: WriteCondition | undefined,
    context: WriteContext,
  ): { info: ObjectInfo; freed: string[] } {
    this.requireBucket(place.bucket);
    const old = this.object(place.bucket, place.key);
    checkCondition(old?.info, condition);
    this.sql(
      `INSERT OR REPLACE INTO object (bucket, key, body, content_type, system_headers, user_meta, last_modified, lineage)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(place.bucket, place.key, place.body, ...headerColumns(place.headers), place.at, lineageColumn(context));
    const freed = old === undefined ? [] : this.dropBody(old.body);
    const placed = this.object(place.bucket, place.key);
    if (placed === undefined) throw new Error('the object just written is not there');
    const { info } = placed;
    const deltaSize = info.size - (old?.info.size ?? 0);
    this.usage.add(place.bucket, old === undefined ? 1 : 0, deltaSize);
    this.appendEvent(place.at, { eventName: place.eventName, info, deltaSize, context });
    return { info, freed };
  }

  appendEvent(at: number, details: EventDetails): void {
    const { info, eventName, deltaSize, context } = details;
    const { bucket, key, size, etag, contentType, userMeta } = info;
    const data = { eventName, bucket, key, size, deltaSize, etag, contentType, userMeta, context };
    this.sql('INSERT INTO event (at, data) VALUES (?, ?)').run(at, JSON.stringify(data));
  }

  events(after: number, limit: number): ObjectEvent[] {
    const rows = this.sql('SELECT sequence, at, data FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?');
    return rows.all(after, limit).map((row) => {
      const data = JSON.parse(text(row, 'data')) as Omit<ObjectEvent, 'sequence' | 'at'>;
      // JSON has no undefined.
      const context = { ...data.context, lineage: data.context.lineage ?? undefined };
      return { ...data, context, sequence: integer(row, 'sequence'), at: integer(row, 'at') };
    });
  }
}

/** Throws PreconditionFailed unless what is there is what the writer requires. */
export function checkCondition(current: ObjectInfo | undefined, condition: WriteCondition | undefined): void {
  if (condition?.mustNotExist === true && current !== undefined) {
    throw new TidemillError('PreconditionFailed', 'The object exists already');
  }
  if (condition?.mustMatch === undefined) return;
  if (current === undefined) throw new TidemillError('NoSuchKey', 'The object to be replaced does not exist');
  if (current.etag !== condition.mustMatch) {
    throw new TidemillError('PreconditionFailed', `The object's ETag is "${current.etag}"`);
  }
}

function lineageColumn({ lineage }: WriteContext): string | null {
  return lineage === undefined ? null : JSON.stringify(lineage);
}
