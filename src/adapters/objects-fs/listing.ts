import type { SQLInputValue } from 'node:sqlite';
import type { ObjectInfo, ObjectListQuery, ObjectPage } from '../../core/ports/object-store.ts';
import { afterPrefix } from './names.ts';
import { toObject } from './rows.ts';
import { OBJECT_COLUMNS, type Tables } from './tables.ts';

/** Where reading goes on: keys from `key` on, or after it. */
interface Cursor {
  readonly key: string;
  readonly inclusive: boolean;
}

/** The common prefix that a key rolls up to, or undefined. */
function rollUp(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at === -1 ? undefined : key.slice(0, at + delimiter.length);
}

/** Undefined: nothing can follow. */
function startCursor(query: ObjectListQuery): Cursor | undefined {
  const { prefix, delimiter, after } = query;
  // A page that ended with a common prefix is continued behind everything below it.
  if (after.startsWith(prefix) && rollUp(after, prefix, delimiter) === after) return behind(after);
  return { key: after, inclusive: false };
}

function behind(prefix: string): Cursor | undefined {
  const key = afterPrefix(prefix);
  return key === undefined ? undefined : { key, inclusive: true };
}

/**
 * One page of keys. A common prefix is skipped over by seeking behind it, so that a page costs as many seeks as it has
 * entries, however many objects lie below its prefixes.
 */
export function listObjects(tables: Tables, bucket: string, query: ObjectListQuery): ObjectPage {
  const { prefix, delimiter, limit } = query;
  const objects: ObjectInfo[] = [];
  const commonPrefixes: string[] = [];
  let last = '';
  let cursor = startCursor(query);
  while (cursor !== undefined) {
    // One more than fits tells whether another page follows.
    const wanted = limit - objects.length - commonPrefixes.length + 1;
    const rows = readKeys(tables, bucket, prefix, cursor, delimiter === '' ? wanted : Math.min(wanted, 32));
    cursor = undefined;
    for (const info of rows) {
      if (objects.length + commonPrefixes.length === limit) return { objects, commonPrefixes, next: last };
      const common = rollUp(info.key, prefix, delimiter);
      last = common ?? info.key;
      if (common !== undefined) {
        commonPrefixes.push(common);
        cursor = behind(common);
        break;
      }
      objects.push(info);
      cursor = { key: info.key, inclusive: false };
    }
  }
  return { objects, commonPrefixes, next: undefined };
}

function readKeys(tables: Tables, bucket: string, prefix: string, cursor: Cursor, limit: number): ObjectInfo[] {
  const end = afterPrefix(prefix);
  const conditions = ['o.bucket = ?', 'o.key >= ?', `o.key ${cursor.inclusive ? '>=' : '>'} ?`];
  const values: SQLInputValue[] = [bucket, prefix, cursor.key];
  if (end !== undefined) {
    conditions.push('o.key < ?');
    values.push(end);
  }
  const rows = tables
    .sql(`SELECT ${OBJECT_COLUMNS} WHERE ${conditions.join(' AND ')} ORDER BY o.key LIMIT ?`)
    .all(...values, limit);
  return rows.map((row) => toObject(row).info);
}
