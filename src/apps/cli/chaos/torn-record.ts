import { appendFileSync, closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Of a SQLite write-ahead log: header of the file, header of each frame. */
const FILE_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/**
 * Leaves at the end of each write-ahead log below `folder` what a power cut leaves of a record that was being written: its
 * first part, in the bytes of an earlier record. Only while nothing runs. Says how many logs it touched.
 */
export function tearLogs(folder: string, random: () => number): number {
  const logs = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('-wal'));
  let torn = 0;
  for (const name of logs) {
    const path = join(folder, name);
    const { size } = statSync(path);
    if (size <= FILE_HEADER_BYTES + FRAME_HEADER_BYTES) continue;
    const piece = Buffer.alloc(Math.min(size - FILE_HEADER_BYTES, Math.floor(FRAME_HEADER_BYTES + random() * 4_000)));
    const file = openSync(path, 'r');
    readSync(file, piece, 0, piece.length, FILE_HEADER_BYTES);
    closeSync(file);
    appendFileSync(path, piece);
    torn++;
  }
  return torn;
}
