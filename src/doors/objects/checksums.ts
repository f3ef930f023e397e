import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Crc64 } from '../../core/base/crc64.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { ObjectsRequest } from './request.ts';

/** An incremental checksum; `digest` is base64, as the `x-amz-checksum-` headers carry it. */
export interface Checksum {
  update(bytes: Uint8Array): void;
  digest(): string;
}

const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

const ALGORITHMS: Readonly<Record<string, () => Checksum>> = {
  crc32: () => {
    let value = 0;
    return {
      update: (bytes) => {
        value = crc32(bytes, value);
      },
      digest: () => base64Of32(value),
    };
  },
  crc32c: () => {
    let value = 0xffffffff;
    return {
      update: (bytes) => {
        for (const byte of bytes) value = (value >>> 8) ^ (CRC32C_TABLE[(value ^ byte) & 0xff] ?? 0);
      },
      digest: () => base64Of32((value ^ 0xffffffff) >>> 0),
    };
  },
  crc64nvme: () => {
    const crc = new Crc64('nvme');
    return {
      update: (bytes) => void crc.update(bytes),
      digest: () => Buffer.from(crc.digestBytes()).toString('base64'),
    };
  },
  sha1: () => hashed('sha1'),
  sha256: () => hashed('sha256'),
};

function hashed(algorithm: string): Checksum {
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('base64') };
}

function base64Of32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes.toString('base64');
}

const PREFIX = 'x-amz-checksum-';
/** Headers with the same prefix that carry no checksum. */
const NOT_VALUES: ReadonlySet<string> = new Set(['algorithm', 'mode', 'type']);

/** Whether a header's value is the checksum of no bytes at all. */
export function isChecksumOfNothing(header: string, value: string): boolean {
  const name = header.slice(PREFIX.length);
  return header.startsWith(PREFIX) && Object.hasOwn(ALGORITHMS, name) && ALGORITHMS[name]?.().digest() === value;
}

/** A checksum that the request announces: its value is in a header, or follows in the trailer. */
export interface AnnouncedChecksum {
  readonly header: string;
  readonly value: string | undefined;
  readonly checksum: Checksum;
}

/** Every checksum the request announces. An algorithm that is not known is refused by name. */
export function announcedChecksums(request: ObjectsRequest): readonly AnnouncedChecksum[] {
  const announced: AnnouncedChecksum[] = [];
  for (const [header, value] of request.headers) {
    if (header.startsWith(PREFIX) && !NOT_VALUES.has(header.slice(PREFIX.length)))
      announced.push(announce(header, value));
  }
  for (const name of (request.header('x-amz-trailer') ?? '').split(',')) {
    const header = name.trim().toLowerCase();
    if (header !== '') announced.push(announce(header, undefined));
  }
  return announced;
}

function announce(header: string, value: string | undefined): AnnouncedChecksum {
  const name = header.slice(PREFIX.length);
  const algorithm = header.startsWith(PREFIX) && Object.hasOwn(ALGORITHMS, name) ? ALGORITHMS[name] : undefined;
  if (algorithm === undefined) {
    throw new TidemillError('NotSupported', `The checksum or trailer ${header} is not supported`, {
      remedy: `Use one of ${Object.keys(ALGORITHMS).join(', ')}.`,
    });
  }
  return { header, value, checksum: algorithm() };
}

/** Throws BadDigest unless the bytes seen have the checksums announced. */
export function verifyChecksums(
  announced: readonly AnnouncedChecksum[],
  trailers: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const verified = new Map<string, string>();
  for (const { header, value, checksum } of announced) {
    const expected = value ?? trailers.get(header);
    const actual = checksum.digest();
    if (expected !== actual) {
      throw new TidemillError(
        'BadDigest',
        `${header} is ${expected ?? 'missing'}, but the bytes received have ${actual}`,
      );
    }
    verified.set(header, actual);
  }
  return verified;
}
