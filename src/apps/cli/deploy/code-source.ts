import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { ObjectsClient } from '../api/objects-client.ts';
import { exchange, readAll } from '../api/exchange.ts';
import type { FcClient } from '../api/fc-client.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { type Package, packageOf, packFolder } from '../package/zip.ts';
import type { CodeSource } from './plan.ts';

/** Base64 of more does not fit into one request (FC reference 2.10): it goes through the object store. */
const INLINE_BYTES = 100 * 1024 * 1024;

/** The package of a source; undefined when it lies in the object store already. */
export async function readCode(source: CodeSource, say: (text: string) => void): Promise<Package | undefined> {
  switch (source.kind) {
    case 'folder':
      return packFolder(await existing(source.path), say);
    case 'archive':
      return packageOf(await readFile(await existing(source.path)));
    case 'url':
      return packageOf(await download(source.url));
    case 'object':
      return undefined;
  }
}

async function existing(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch {
    throw usage(`${path} does not exist`);
  }
}

async function download(url: string): Promise<Buffer> {
  const answer = await exchange({ method: 'GET', url, headers: {} });
  const status = answer.statusCode ?? 0;
  const body = await readAll(answer);
  if (status === 200) return body;
  throw new Failure(EXIT.failed, `${url} answered HTTP ${status}`, {
    code: 'CodeNotFound',
    culprit: 'caller',
    remedy: 'Name a zip file that can be downloaded without signing in.',
  });
}

/**
 * Runs `send` with the `code` field of a request: inline, or by way of the object store for what is too large. What was stored for that is
 * removed again.
 */
export async function withCode<T>(
  client: FcClient,
  source: CodeSource,
  code: Package | undefined,
  send: (code: Readonly<Record<string, unknown>>) => Promise<T>,
): Promise<T> {
  if (source.kind === 'object') return send({ ossBucketName: source.bucket, ossObjectName: source.key });
  if (code === undefined) throw new Error('a package that is no object was not read');
  if (code.bytes.length <= INLINE_BYTES)
    return send({ zipFile: code.bytes.toString('base64'), checksum: code.checksum });
  const objects = new ObjectsClient(client.connection);
  const bucket = `tidemill-code-${randomBytes(8).toString('hex')}`;
  const key = `${code.checksum}.zip`;
  await objects.makeBucket(bucket);
  try {
    await objects.put(bucket, key, code.bytes, code.bytes.length, 'application/zip');
    return await send({ ossBucketName: bucket, ossObjectName: key, checksum: code.checksum });
  } finally {
    await objects.remove(bucket, key);
    await objects.deleteBucket(bucket);
  }
}
