import { createHash } from 'node:crypto';
import { combineCrc64 } from '../../core/base/crc64.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type {
  CompleteOptions,
  ObjectHeaders,
  PartInfo,
  UploadAddress,
  UploadInfo,
  UploadListQuery,
} from '../../core/ports/object-store.ts';
import { afterPrefix } from './names.ts';
import { headerColumns, integer, type Row, text, toHeaders } from './rows.ts';
import type { NewBody, Tables } from './tables.ts';

/** Highest part number, in OSS and S3. */
const MAX_PART_NUMBER = 10_000;

interface PartRow {
  readonly info: PartInfo;
  readonly body: number;
}

const PART_COLUMNS =
  'p.number, p.body, p.last_modified, b.size, b.etag, b.crc64 FROM part p JOIN body b ON b.id = p.body';

/** Multipart uploads in progress. Synchronous, inside the caller's transaction, like `Tables`. */
export class Uploads {
  private readonly tables: Tables;

  constructor(tables: Tables) {
    this.tables = tables;
  }

  create(upload: UploadInfo, headers: ObjectHeaders): void {
    this.tables
      .sql(
        `INSERT INTO upload (id, bucket, key, content_type, system_headers, user_meta, initiated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(upload.uploadId, upload.bucket, upload.key, ...headerColumns(headers), upload.initiatedAt);
  }

  /** The headers the object will get. NoSuchUpload, NoSuchBucket. */
  require(address: UploadAddress): Required<ObjectHeaders> {
    this.tables.requireBucket(address.bucket);
    const row = this.tables
      .sql('SELECT * FROM upload WHERE id = ? AND bucket = ? AND key = ?')
      .get(address.uploadId, address.bucket, address.key);
    if (row !== undefined) return toHeaders(row);
    throw new TidemillError('NoSuchUpload', 'There is no multipart upload with this id for this key');
  }

  /** Gives back freed content files (of the part that was replaced). */
  placePart(address: UploadAddress, partNumber: number, body: NewBody, at: number): string[] {
    this.require(address);
    const old = this.part(address.uploadId, partNumber);
    const id = this.tables.insertBody(body);
    this.tables
      .sql('INSERT OR REPLACE INTO part (upload, number, body, last_modified) VALUES (?, ?, ?, ?)')
      .run(address.uploadId, partNumber, id, at);
    this.tables.usage.add(address.bucket, 0, body.size - (old?.info.size ?? 0));
    return old === undefined ? [] : this.tables.dropBody(old.body);
  }

  parts(address: UploadAddress, after: number, limit: number): PartInfo[] {
    this.require(address);
    const statement = this.tables.sql(
      `SELECT ${PART_COLUMNS} WHERE p.upload = ? AND p.number > ? ORDER BY p.number LIMIT ?`,
    );
    return statement.all(address.uploadId, after, limit).map((row) => toPart(row).info);
  }

  list(bucket: string, query: UploadListQuery): UploadInfo[] {
    const end = afterPrefix(query.prefix);
    const rows = this.tables
      .sql(
        `SELECT id, bucket, key, initiated_at FROM upload
         WHERE bucket = :bucket AND key >= :prefix AND (:end IS NULL OR key < :end)
           AND (key > :key OR (key = :key AND :id <> '' AND id > :id))
         ORDER BY key, id LIMIT :limit`,
      )
      .all({
        bucket,
        prefix: query.prefix,
        end: end ?? null,
        key: query.afterKey,
        id: query.afterUploadId,
        limit: query.limit,
      });
    return rows.map((row) => ({
      bucket: text(row, 'bucket'),
      key: text(row, 'key'),
      uploadId: text(row, 'id'),
      initiatedAt: integer(row, 'initiated_at'),
    }));
  }

  /** The body that the named parts make together; the upload stays as it is. */
  assemble(
    address: UploadAddress,
    chosen: readonly { readonly partNumber: number; readonly etag: string }[],
    options: CompleteOptions,
  ): NewBody {
    if (chosen.length === 0)
      throw new TidemillError('InvalidPart', 'A multipart upload is completed from at least one part');
    const rows = chosen.map((part, index) => {
      if (index > 0 && part.partNumber <= (chosen[index - 1]?.partNumber ?? 0)) {
        throw new TidemillError('InvalidPartOrder', `Part ${part.partNumber} is not in ascending order`);
      }
      return this.choose(address, part);
    });
    const small = rows.slice(0, -1).find((row) => row.info.size < options.minPartBytes);
    if (small !== undefined) {
      const { partNumber, size } = small.info;
      throw new TidemillError('EntityTooSmall', `Part ${partNumber} has ${size} bytes, below ${options.minPartBytes}`);
    }
    return this.join(rows);
  }

  /** Forgets the upload and its parts; gives back freed content files. */
  drop({ bucket, uploadId }: UploadAddress): string[] {
    const bodies = this.tables
      .sql('SELECT p.body, b.size FROM part p JOIN body b ON b.id = p.body WHERE p.upload = ?')
      .all(uploadId);
    const size = bodies.reduce((sum, row) => sum + integer(row, 'size'), 0);
    this.tables.usage.add(bucket, 0, -size);
    this.tables.sql('DELETE FROM part WHERE upload = ?').run(uploadId);
    this.tables.sql('DELETE FROM upload WHERE id = ?').run(uploadId);
    return bodies.flatMap((row) => this.tables.dropBody(integer(row, 'body')));
  }

  private part(uploadId: string, partNumber: number): PartRow | undefined {
    const row = this.tables.sql(`SELECT ${PART_COLUMNS} WHERE p.upload = ? AND p.number = ?`).get(uploadId, partNumber);
    return row === undefined ? undefined : toPart(row);
  }

  private choose(address: UploadAddress, wanted: { partNumber: number; etag: string }): PartRow {
    const part = this.part(address.uploadId, wanted.partNumber);
    if (part?.info.etag === wanted.etag) return part;
    const reason = part === undefined ? 'was not uploaded' : `has the ETag "${part.info.etag}"`;
    throw new TidemillError('InvalidPart', `Part ${wanted.partNumber} ${reason}`);
  }

  private join(rows: readonly PartRow[]): NewBody {
    const md5 = createHash('md5');
    let crc64 = '0';
    let size = 0;
    for (const { info } of rows) {
      md5.update(Buffer.from(info.etag, 'hex'));
      crc64 = combineCrc64(crc64, info.crc64, info.size);
      size += info.size;
    }
    const pieces = rows.flatMap((row) => this.tables.pieces(row.body));
    return { size, crc64, pieces, etag: `${md5.digest('hex')}-${rows.length}` };
  }
}

/** Throws InvalidArgument unless 1 to 10,000. */
export function checkPartNumber(partNumber: number): void {
  if (Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= MAX_PART_NUMBER) return;
  throw new TidemillError('InvalidArgument', `partNumber must be an integer from 1 to ${MAX_PART_NUMBER}`);
}

function toPart(row: Row): PartRow {
  return {
    body: integer(row, 'body'),
    info: {
      partNumber: integer(row, 'number'),
      size: integer(row, 'size'),
      etag: text(row, 'etag'),
      crc64: text(row, 'crc64'),
      lastModified: integer(row, 'last_modified'),
    },
  };
}
