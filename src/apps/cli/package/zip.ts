import { ZipFile } from 'yazl';
import { Crc64 } from '../../../core/base/crc64.ts';
import { usage } from '../failure.ts';
import { listPackage, type PackageEntry } from './file-list.ts';

/** A code package, ready to send. */
export interface Package {
  readonly bytes: Buffer;
  /** CRC-64/XZ of the bytes, decimal: equal to the platform's `codeChecksum` when it has exactly this package (FC reference 2.9). */
  readonly checksum: string;
  readonly files: number;
}

/** The same for every file, so that packages depend on content alone. Local time: that is what the zip format stores. */
const MTIME = new Date(2020, 0, 1);
const FILE = 0o100000;
const LINK = 0o120777;

/** Zips a folder: same content and modes, same bytes. */
export async function packFolder(folder: string, say: (text: string) => void = () => {}): Promise<Package> {
  const entries = await listPackage(folder);
  if (!entries.some((entry) => entry.kind === 'file')) throw usage(`${folder} has no files to deploy`);
  const zip = new ZipFile();
  const bytes = collect(zip, say);
  for (const entry of entries) add(zip, entry);
  zip.end();
  return { ...(await bytes), files: entries.filter((entry) => entry.kind !== 'folder').length };
}

/** A package that exists already as a zip or jar. */
export function packageOf(bytes: Buffer): Package {
  return { bytes, checksum: new Crc64().update(bytes).digest(), files: 1 };
}

function add(zip: ZipFile, entry: PackageEntry): void {
  const options = { mtime: MTIME, forceDosTimestamp: true };
  if (entry.kind === 'file') zip.addFile(entry.source, entry.path, { ...options, mode: FILE | entry.mode });
  else if (entry.kind === 'link') zip.addBuffer(Buffer.from(entry.target), entry.path, { ...options, mode: LINK });
  else zip.addEmptyDirectory(entry.path, options);
}

function collect(zip: ZipFile, say: (text: string) => void): Promise<{ bytes: Buffer; checksum: string }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const crc = new Crc64();
    let size = 0;
    zip.on('error', reject);
    zip.outputStream.on('error', reject);
    zip.outputStream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      crc.update(chunk);
      size += chunk.length;
      say(`${(size / 1024 ** 2).toFixed(1)} MB`);
    });
    zip.outputStream.on('end', () => resolve({ bytes: Buffer.concat(chunks), checksum: crc.digest() }));
  });
}
