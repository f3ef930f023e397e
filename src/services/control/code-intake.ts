import { createHash } from 'node:crypto';
import { Crc64 } from '../../core/base/crc64.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { CodePackage } from '../../core/domain/function.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { Input } from '../../core/ports/control.ts';
import type { ObjectSource } from '../../core/ports/object-store.ts';
import { ByteBudget } from './byte-budget.ts';
import { FieldReader, invalid, isNeutral } from './fields.ts';
import { checkZip } from './zip-check.ts';

/** A package that passed every check and is stored nowhere yet. */
export interface IncomingCode {
  readonly package: CodePackage;
  readonly bytes: Uint8Array;
}

/** Bytes of packages in memory at once; more wait their turn. One package of the largest size always fits. */
const BUDGET_BYTES = 640 * 1024 * 1024;
/** Hashing gives other work a turn after this many bytes. */
const SLICE_BYTES = 1024 * 1024;

/** Takes code in from a request body or the object store (FC reference 3.1 `code`, 2.9) and validates it; stores nothing. */
export class CodeIntake {
  private readonly objects: ObjectSource;
  private readonly budget = new ByteBudget(BUDGET_BYTES);

  constructor(objects: ObjectSource) {
    this.objects = objects;
  }

  /**
   * Reads and validates, then runs `use` while the bytes are accounted for. Throws InvalidArgument (bad zip, wrong checksum, no such
   * object), EntityTooLarge.
   */
  async take<T>(account: string, code: Input, use: (incoming: IncomingCode) => Promise<T>): Promise<T> {
    const reader = new FieldReader(code, 'code');
    const zipFile = reader.raw('zipFile');
    const bucket = reader.string('ossBucketName') ?? '';
    const object = reader.string('ossObjectName') ?? '';
    const checksum = reader.raw('checksum');
    reader.done();
    const inline = zipFile !== undefined && zipFile !== '';
    if (inline && (bucket !== '' || object !== '')) {
      throw invalid('code', 'must name either zipFile or ossBucketName and ossObjectName, not both');
    }
    if (inline) {
      const bytes = decodeInline(zipFile);
      return this.budget.hold(bytes.length, async () => use(await examine(account, bytes, checksum)));
    }
    if (bucket === '' || object === '') {
      throw invalid('code', 'must have zipFile, or both ossBucketName and ossObjectName');
    }
    return this.fromObject(account, bucket, object, async (bytes) => use(await examine(account, bytes, checksum)));
  }

  private async fromObject<T>(
    account: string,
    bucket: string,
    key: string,
    use: (bytes: Buffer) => Promise<T>,
  ): Promise<T> {
    const found = await this.objects.open(account, bucket, key);
    if (found === undefined) {
      throw invalid(
        'code',
        `names the object '${key}' in bucket '${bucket}', which does not exist`,
        'Upload it first.',
      );
    }
    const { size } = found.info;
    if (size > LIMITS.objectZipBytes) {
      await abandon(found.body);
      throw new TidemillError(
        'EntityTooLarge',
        `the code object has ${size} bytes, at most ${LIMITS.objectZipBytes} are allowed`,
      );
    }
    return this.budget.hold(size, async () => use(await collect(found.body, size)));
  }
}

/** Lets the source close what it holds, without reading it. */
async function abandon(body: AsyncIterable<Uint8Array>): Promise<void> {
  await body[Symbol.asyncIterator]().return?.();
}

async function collect(body: AsyncIterable<Uint8Array>, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size);
  let offset = 0;
  for await (const chunk of body) {
    if (offset + chunk.length > size)
      throw invalid('code', 'names an object that changed while it was read', 'Send it again.');
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  if (offset !== size) throw invalid('code', 'names an object that changed while it was read', 'Send it again.');
  return bytes;
}

function decodeInline(zipFile: unknown): Buffer {
  let bytes: Buffer;
  if (zipFile instanceof Uint8Array) {
    bytes = Buffer.from(zipFile.buffer, zipFile.byteOffset, zipFile.byteLength);
  } else if (typeof zipFile === 'string') {
    bytes = Buffer.from(zipFile, 'base64');
    const padding = zipFile.endsWith('==') ? 2 : zipFile.endsWith('=') ? 1 : 0;
    // The decoder skips what is not base64: a shorter result shows it.
    if (bytes.length !== Math.floor(((zipFile.length - padding) * 3) / 4)) {
      throw invalid('code.zipFile', 'is not valid base64', 'Encode the bytes of the zip archive as base64.');
    }
  } else {
    throw invalid('code.zipFile', 'must be a base64 string');
  }
  if (bytes.length > LIMITS.inlineZipBytes) {
    throw new TidemillError(
      'EntityTooLarge',
      `code.zipFile has ${bytes.length} bytes, at most ${LIMITS.inlineZipBytes} are allowed`,
      { remedy: 'Upload the package to the object store and name it by ossBucketName and ossObjectName.' },
    );
  }
  return bytes;
}

async function examine(owner: string, bytes: Buffer, expected: unknown): Promise<IncomingCode> {
  const { digest, checksum } = await fingerprint(bytes);
  if (!isNeutral(expected) && String(expected) !== checksum) {
    throw invalid(
      'code.checksum',
      `is ${JSON.stringify(expected)} but the package has the CRC-64 checksum '${checksum}'`,
      'Send the CRC-64/XZ of the zip bytes as an unsigned decimal string, or leave it out; or upload the package again.',
    );
  }
  await checkZip(bytes);
  return { package: { owner, digest, checksum, size: bytes.length }, bytes };
}

async function fingerprint(bytes: Uint8Array): Promise<{ digest: string; checksum: string }> {
  const sha = createHash('sha256');
  const crc = new Crc64();
  for (let offset = 0; offset < bytes.length; offset += SLICE_BYTES) {
    const slice = bytes.subarray(offset, offset + SLICE_BYTES);
    sha.update(slice);
    crc.update(slice);
    if (offset + SLICE_BYTES < bytes.length) await new Promise((resolve) => setImmediate(resolve));
  }
  return { digest: sha.digest('hex'), checksum: crc.digest() };
}
