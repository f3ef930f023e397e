import type { Disposable } from '../base/disposable.ts';
import type { Lineage } from '../domain/invocation.ts';

export interface BucketInfo {
  readonly name: string;
  readonly account: string;
  readonly createdAt: number;
}

export interface ObjectInfo {
  readonly bucket: string;
  readonly key: string;
  readonly size: number;
  /** Without quotes: MD5 hex, or `<md5 of md5s>-<parts>` for multipart objects. */
  readonly etag: string;
  /** CRC-64/XZ, unsigned decimal (header x-oss-hash-crc64ecma). */
  readonly crc64: string;
  readonly contentType: string;
  /** cache-control, content-disposition, content-encoding, content-language, expires as given. */
  readonly systemHeaders: Readonly<Record<string, string>>;
  /** User metadata, names lower-case without the `x-oss-meta-`/`x-amz-meta-` prefix. */
  readonly userMeta: Readonly<Record<string, string>>;
  readonly lastModified: number;
}

export interface WriteContext {
  readonly account: string;
  readonly requestId: string;
  readonly sourceIp: string;
  /** Of the writer, so that an object event knows what it descends from. */
  readonly lineage: Lineage | undefined;
}

export interface PutOptions {
  readonly contentType?: string;
  readonly systemHeaders?: Readonly<Record<string, string>>;
  readonly userMeta?: Readonly<Record<string, string>>;
  /** Verified against the bytes: a mismatch rejects and stores nothing. */
  readonly contentMd5?: Uint8Array;
  readonly contentSha256?: string;
  /** The event's name, without `oss:`: which API made the object. */
  readonly eventName: 'ObjectCreated:PutObject' | 'ObjectCreated:PostObject' | 'ObjectCreated:CopyObject';
}

/** Something happened to an object: written in the same transaction as the change itself. */
export interface ObjectEvent {
  /** Grows with every event. */
  readonly sequence: number;
  readonly at: number;
  /** Without `oss:`, e.g. `ObjectCreated:PutObject`, `ObjectRemoved:DeleteObject`. */
  readonly eventName: string;
  readonly bucket: string;
  readonly key: string;
  readonly size: number;
  /** Size minus the size of what was overwritten. */
  readonly deltaSize: number;
  readonly etag: string;
  readonly contentType: string;
  readonly userMeta: Readonly<Record<string, string>>;
  readonly context: WriteContext;
}

/** The side of the object store that event sources and control use; the objects door uses the full adapter interface. */
export interface ObjectSource {
  /** Undefined: no such bucket or object, or it belongs to another account. */
  open(
    account: string,
    bucket: string,
    key: string,
  ): Promise<{ info: ObjectInfo; body: AsyncIterable<Uint8Array> } | undefined>;
  bucket(name: string): Promise<BucketInfo | undefined>;
  /** Events after `sequence`, oldest first. Kept until acknowledged. */
  events(afterSequence: number, limit: number): Promise<readonly ObjectEvent[]>;
  /** Events up to and including `sequence` have been handed on durably and may be forgotten. */
  acknowledge(sequence: number): Promise<void>;
  onEvent(listener: () => void): Disposable;
}
