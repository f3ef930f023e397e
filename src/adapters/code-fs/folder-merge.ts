import { constants } from 'node:fs';
import { copyFile, link, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Unpacked } from './zip-unpacker.ts';

const BLOCK = 4096;

/**
 * Merges read-only folders into `target`, an empty folder; on conflict the earlier source wins, and a file of an earlier one
 * hides a whole folder of a later one. Files are hard links to the sources (same disk), so merging costs no space for data.
 */
export async function mergeFolders(sources: readonly string[], target: string): Promise<Unpacked> {
  let entries = 0;
  for (const source of sources) entries += await mergeInto(source, target);
  return { bytes: entries * BLOCK, entries };
}

async function mergeInto(source: string, target: string): Promise<number> {
  let entries = 0;
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = join(target, entry.name);
    if (entry.isDirectory()) {
      if (await ensureFolder(to)) entries += 1 + (await mergeInto(from, to));
    } else {
      const made = entry.isSymbolicLink() ? symlink(await readlink(from), to) : linkOrCopy(from, to);
      entries += await oneUnlessTaken(made);
    }
  }
  return entries;
}

/** True when `path` is a folder now; false when an earlier source has something else there. */
async function ensureFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o755 });
    return true;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    return (await lstat(path)).isDirectory();
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    // A file may have too many links, or the disk may not know links at all.
    if (!hasCode(error, 'EMLINK') && !hasCode(error, 'EPERM') && !hasCode(error, 'EXDEV')) throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
  }
}

async function oneUnlessTaken(made: Promise<void>): Promise<number> {
  try {
    await made;
    return 1;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return 0;
    throw error;
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
