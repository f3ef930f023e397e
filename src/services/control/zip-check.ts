import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import * as yauzl from 'yauzl';
import { ArchiveCheck, type CheckedEntry, checkLink, printable, unixMode } from '../../core/domain/archive.ts';
import { TidemillError } from '../../core/domain/errors.ts';

const inflate = promisify(inflateRaw);
/** Entries up to this size are inflated in one call; larger ones as a stream, so that memory stays bounded. */
const WHOLE_BYTES = 1024 * 1024;

function refuse(message: string, remedy: string, cause?: unknown): TidemillError {
  return new TidemillError('InvalidArgument', message, { remedy, cause });
}

function damaged(name: string, cause?: unknown): TidemillError {
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return refuse(`code package entry '${printable(name)}' is damaged${reason}`, 'Pack the files again.', cause);
}

/**
 * Says whether a zip may be deployed: readable to its last byte, every entry within core/domain/archive.ts, every content as long as
 * declared and matching its CRC-32. Contents are inflated into nowhere, at most the declared (and limited) bytes of each.
 * Throws TidemillError InvalidArgument naming the entry and the remedy.
 */
export async function checkZip(zip: Buffer): Promise<void> {
  const check = new ArchiveCheck(zip.length);
  const archive = await openZip(zip);
  const entries = await readDirectory(archive, check);
  check.finish();
  for (const { entry, checked, name } of entries) {
    if (checked.kind === 'directory') continue;
    const content = await readContent(archive, zip, entry, name, checked.kind === 'link');
    if (checked.kind === 'link') checkLink(checked.path, content.toString('utf8'));
  }
}

async function openZip(zip: Buffer): Promise<yauzl.ZipFile> {
  if (zip.length === 0) throw refuse('code package is empty', 'Send a zip archive with at least one file.');
  try {
    return await yauzl.fromBufferPromise(zip, { lazyEntries: true, decodeStrings: false, autoClose: false });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw refuse(
      `code package is not a zip archive (${reason})`,
      'Send a zip archive, base64-encoded in code.zipFile or as an object named by ossBucketName and ossObjectName.',
      error,
    );
  }
}

interface Listed {
  readonly entry: yauzl.Entry;
  readonly checked: CheckedEntry;
  readonly name: string;
}

/** Names are decoded here, not by the library, so that refusals carry our own messages. */
async function readDirectory(archive: yauzl.ZipFile, check: ArchiveCheck): Promise<Listed[]> {
  const listed: Listed[] = [];
  const iterator = archive.eachEntry();
  for (;;) {
    const entry = await nextEntry(iterator);
    if (entry === undefined) return listed;
    const name = yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, false);
    const checked = check.add({
      name,
      mode: unixMode(entry.versionMadeBy, entry.externalFileAttributes),
      size: entry.uncompressedSize,
      encrypted: entry.isEncrypted(),
      compressionMethod: entry.compressionMethod,
    });
    listed.push({ entry, checked, name });
  }
}

async function nextEntry(iterator: AsyncIterableIterator<yauzl.Entry>): Promise<yauzl.Entry | undefined> {
  try {
    const step = await iterator.next();
    return step.done === true ? undefined : step.value;
  } catch (error) {
    if (error instanceof Error && error.message.includes('strong encryption')) {
      throw refuse('code package has an encrypted entry', 'Pack the files without a password.', error);
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw refuse(`code package has a damaged directory (${reason})`, 'Pack the files again.', error);
  }
}

/** Verifies the content of an entry; returns it only when `keep` is set (small entries). */
async function readContent(
  archive: yauzl.ZipFile,
  zip: Buffer,
  entry: yauzl.Entry,
  name: string,
  keep: boolean,
): Promise<Buffer> {
  if (keep || Math.max(entry.uncompressedSize, entry.compressedSize) <= WHOLE_BYTES) {
    const content = await readWhole(archive, zip, entry, name);
    if (content.length !== entry.uncompressedSize) throw damaged(name, new Error('its size is not the declared one'));
    if (crc32(content) !== entry.crc32) throw damaged(name, new Error('its CRC-32 does not match'));
    return content;
  }
  let sum = 0;
  let bytes = 0;
  try {
    const stream = await archive.openReadStreamPromise(entry);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > entry.uncompressedSize) throw new Error('it is longer than declared');
      sum = crc32(chunk, sum);
    }
  } catch (error) {
    throw damaged(name, error);
  }
  if (bytes !== entry.uncompressedSize) throw damaged(name, new Error('its size is not the declared one'));
  if (sum !== entry.crc32) throw damaged(name, new Error('its CRC-32 does not match'));
  return Buffer.alloc(0);
}

async function readWhole(archive: yauzl.ZipFile, zip: Buffer, entry: yauzl.Entry, name: string): Promise<Buffer> {
  try {
    const { fileDataStart } = await archive.readLocalFileHeaderPromise(entry, { minimal: true });
    const packed = zip.subarray(fileDataStart, fileDataStart + entry.compressedSize);
    if (entry.compressionMethod === 0) return packed;
    return await inflate(packed, { maxOutputLength: Math.max(1, entry.uncompressedSize) });
  } catch (error) {
    throw damaged(name, error);
  }
}
