import { chmod, mkdir, open, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fromBufferPromise } from 'yauzl';
import { ArchiveCheck, checkLink, unixMode } from '../../../core/domain/archive.ts';

/** Writes everything in a zip below `target`, where earlier files win. Throws TidemillError for what no package may contain. */
export async function unpack(zip: Buffer, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const archive = await fromBufferPromise(zip);
  const check = new ArchiveCheck(zip.length);
  const links: { readonly path: string; readonly to: string }[] = [];
  for await (const entry of archive.eachEntry()) {
    const { kind, path, permissions } = check.add({
      name: entry.fileName,
      mode: unixMode(entry.versionMadeBy, entry.externalFileAttributes),
      size: entry.uncompressedSize,
      encrypted: entry.isEncrypted(),
      compressionMethod: entry.compressionMethod,
    });
    const place = join(target, path);
    await mkdir(kind === 'directory' ? place : dirname(place), { recursive: true });
    if (kind === 'directory') continue;
    const chunks: Buffer[] = [];
    for await (const chunk of await archive.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (kind === 'link') links.push({ path, to: bytes.toString('utf8') });
    else await write(place, bytes, permissions);
  }
  check.finish();
  // Last, so that no file is written through one.
  for (const { path, to } of links) {
    checkLink(path, to);
    await symlink(to, join(target, path)).catch(unlessThere);
  }
}

async function write(place: string, bytes: Uint8Array, permissions: number): Promise<void> {
  const file = await open(place, 'wx', 0o600).catch(unlessThere);
  if (file === undefined) return;
  try {
    await file.writeFile(bytes);
  } finally {
    await file.close();
  }
  await chmod(place, (permissions & 0o111) === 0 ? 0o644 : 0o755);
}

function unlessThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EEXIST') throw error;
  return undefined;
}
