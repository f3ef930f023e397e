import type { SQLOutputValue } from 'node:sqlite';
import type { Lineage } from '../../core/domain/lineage.ts';
import type { BucketAcl, BucketDetails, ObjectHeaders, ObjectInfo } from '../../core/ports/object-store.ts';

export type Row = Record<string, SQLOutputValue>;

/** A TEXT column; the tables are STRICT, so anything else is a bug in a statement. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`column ${column} is not text`);
  return value;
}

/** An INTEGER column. */
export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new TypeError(`column ${column} is not an integer`);
  return value;
}

export function toBucket(row: Row): BucketDetails {
  return {
    name: text(row, 'name'),
    account: text(row, 'account'),
    createdAt: integer(row, 'created_at'),
    acl: toAcl(text(row, 'acl')),
  };
}

function toAcl(value: string): BucketAcl {
  return value === 'public-read' || value === 'public-read-write' ? value : 'private';
}

export interface ObjectRow {
  readonly info: ObjectInfo;
  readonly body: number;
}

/** A row of `object` joined with its `body`. */
export function toObject(row: Row): ObjectRow {
  const headers = toHeaders(row);
  const { lineage } = row;
  return {
    body: integer(row, 'body'),
    info: {
      bucket: text(row, 'bucket'),
      key: text(row, 'key'),
      size: integer(row, 'size'),
      etag: text(row, 'etag'),
      crc64: text(row, 'crc64'),
      ...headers,
      lastModified: integer(row, 'last_modified'),
      ...(typeof lineage === 'string' ? { lineage: JSON.parse(lineage) as Lineage } : {}),
    },
  };
}

export function toHeaders(row: Row): Required<ObjectHeaders> {
  return {
    contentType: text(row, 'content_type'),
    systemHeaders: JSON.parse(text(row, 'system_headers')) as Record<string, string>,
    userMeta: JSON.parse(text(row, 'user_meta')) as Record<string, string>,
  };
}

/** The three header columns in table order. */
export function headerColumns(headers: ObjectHeaders): [string, string, string] {
  return [
    headers.contentType ?? 'application/octet-stream',
    JSON.stringify(headers.systemHeaders ?? {}),
    JSON.stringify(headers.userMeta ?? {}),
  ];
}
