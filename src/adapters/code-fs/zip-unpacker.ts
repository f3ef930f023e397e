import { mkdir, open, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Entry, ZipFile } from 'yauzl';
import { ArchiveCheck, type CheckedEntry, checkLink, unixMode } from '../../core/domain/archive.ts';
import { TidemillError } from '../../core/domain/errors.ts';

export interface Unpacked {
  /** Bytes of all files, rounded up to disk blocks, plus one block per entry. */
  readonly bytes: number;
  readonly entries: number;
}

interface PlannedEntry {
  readonly checked: CheckedEntry;
  readonly entry: Entry;
}

const BLOCK = 4096;
/** Files written at the same time: hides the latency of small ones without holding many descriptors. */
const WRITERS = 4;

/** The permissions a file gets: nobody may write, everybody may read, and run if the packer could. */
export function publicMode(permissions: number): number {
  return (permissions & 0o111) === 0 ? 0o444 : 0o555;
}

/**
 * Writes everything in an open archive below `target`, an empty folder. Throws TidemillError InvalidArgument naming the entry
 * that may not be unpacked; `target` then holds a part and must be removed by the caller. Links are made last, so that no
 * file is ever written through one. Inflated sizes are enforced while streaming, not only as declared.
 */
export async function unpackZip(zip: ZipFile, packedBytes: number, target: string): Promise<Unpacked> {
  const plan = await planEntries(zip, packedBytes);
  await makeFolders(plan, target);
  const files = plan.filter(({ checked }) => checked.kind === 'file');
  let next = 0;
  const writer = async () => {
    for (let item = files[next++]; item !== undefined; item = files[next++]) {
      await writeFile(zip, item, target);
    }
  };
  await allOrFirstError(Array.from({ length: Math.min(WRITERS, files.length) }, writer));
  for (const item of plan) if (item.checked.kind === 'link') await writeLink(zip, item, target);
  let bytes = 0;
  for (const { checked } of plan) bytes += BLOCK + Math.ceil(checked.size / BLOCK) * BLOCK;
  return { bytes, entries: plan.length };
}

/** Waits for all, so that nothing still writes when the caller removes the folder; then throws the first error. */
async function allOrFirstError(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function planEntries(zip: ZipFile, packedBytes: number): Promise<PlannedEntry[]> {
  const check = new ArchiveCheck(packedBytes);
  const plan: PlannedEntry[] = [];
  for await (const entry of readableEntries(zip)) {
    const checked = check.add({
      name: entry.fileName,
      mode: unixMode(entry.versionMadeBy, entry.externalFileAttributes),
      size: entry.uncompressedSize,
      encrypted: entry.isEncrypted(),
      compressionMethod: entry.compressionMethod,
    });
    plan.push({ checked, entry });
  }
  check.finish();
  return plan;
}

async function* readableEntries(zip: ZipFile): AsyncGenerator<Entry> {
  try {
    yield* zip.eachEntry();
  } catch (error) {
    throw unreadableArchive(error);
  }
}

/** The error for an archive whose directory cannot be read. */
export function unreadableArchive(error: unknown): TidemillError {
  const reason = error instanceof Error ? error.message : String(error);
  return new TidemillError('InvalidArgument', `the code package is not a readable zip archive: ${reason}`, {
    remedy: 'Pack the files again, as a zip archive.',
    cause: error,
  });
}

async function makeFolders(plan: readonly PlannedEntry[], target: string): Promise<void> {
  const folders = new Set<string>();
  for (const { checked } of plan) {
    let folder = checked.kind === 'directory' ? checked.path : dirname(checked.path);
    for (; folder !== '' && folder !== '.' && !folders.has(folder); folder = dirname(folder)) folders.add(folder);
  }
  // Parents sort before what they contain.
  for (const folder of [...folders].sort()) await mkdir(join(target, folder), { mode: 0o755 });
}

async function writeFile(zip: ZipFile, item: PlannedEntry, target: string): Promise<void> {
  // The file first: the entry's stream runs at once, and its errors must meet a reader that is already there.
  const file = await open(join(target, item.checked.path), 'wx', 0o600);
  try {
    for await (const chunk of await openEntry(zip, item)) await file.write(chunk as Buffer);
    await file.chmod(publicMode(item.checked.permissions));
  } catch (error) {
    throw damaged(item, error);
  } finally {
    await file.close();
  }
}

async function writeLink(zip: ZipFile, item: PlannedEntry, target: string): Promise<void> {
  const source = await openEntry(zip, item);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of source) chunks.push(chunk as Buffer);
  } catch (error) {
    throw damaged(item, error);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  checkLink(item.checked.path, text);
  await symlink(text, join(target, item.checked.path));
}

async function openEntry(zip: ZipFile, item: PlannedEntry): Promise<Readable> {
  try {
    return await zip.openReadStreamPromise(item.entry);
  } catch (error) {
    throw damaged(item, error);
  }
}

function damaged(item: PlannedEntry, error: unknown): unknown {
  if (error instanceof TidemillError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // Errors of the disk are ours; whatever inflating says is about the archive.
  if (/^E[A-Z]+$/.test(code)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new TidemillError('InvalidArgument', `code package entry '${item.checked.path}' is damaged: ${reason}`, {
    remedy: 'Pack the files again.',
    cause: error,
  });
}
