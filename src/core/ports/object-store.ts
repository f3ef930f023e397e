import type { Disposable } from '../base/disposable.ts';
import type { Lineage } from '../domain/lineage.ts';

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
  /** Of the function that wrote it, which is the last of the chain; absent: it was written from outside. */
  readonly lineage?: Lineage;
}

export interface WriteContext {
  readonly account: string;
  readonly requestId: string;
  readonly sourceIp: string;
  /** Of what the write causes: the function that writes is the last of its chain. Undefined: written from outside. */
  readonly lineage: Lineage | undefined;
}

/** What a writer requires of the object that is there; checked in the transaction of the write, else PreconditionFailed. */
export interface WriteCondition {
  readonly mustNotExist?: boolean;
  /** The current object must have this etag. */
  readonly mustMatch?: string;
}

/** What is stored beside the bytes. */
export interface ObjectHeaders {
  /** Default `application/octet-stream`. */
  readonly contentType?: string;
  readonly systemHeaders?: Readonly<Record<string, string>>;
  readonly userMeta?: Readonly<Record<string, string>>;
}

/** Checksums verified against the bytes: a mismatch rejects with BadDigest and stores nothing. */
export interface ExpectedDigests {
  readonly contentMd5?: Uint8Array;
  /** Lower-case hex. */
  readonly contentSha256?: string;
}

export interface PutOptions extends ObjectHeaders, ExpectedDigests {
  /** The event's name, without `oss:`: which API made the object. */
  readonly eventName: 'ObjectCreated:PutObject' | 'ObjectCreated:PostObject' | 'ObjectCreated:CopyObject';
  readonly condition?: WriteCondition;
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

export type BucketAcl = 'private' | 'public-read' | 'public-read-write';

export interface BucketDetails extends BucketInfo {
  readonly acl: BucketAcl;
}

/** What an account has in all its buckets. Parts of uploads under way count as bytes. */
export interface ObjectUsage {
  readonly objects: number;
  readonly objectBytes: number;
}

/** The most an account may have. */
export type ObjectQuotas = ObjectUsage;

/** Bytes `start` up to and including `end`. */
export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/** An object held open: its bytes stay readable even when it is overwritten or removed meanwhile. Release it exactly once. */
export interface OpenObject {
  readonly info: ObjectInfo;
  /** Streams the span, or everything. May be called more than once before `release`. */
  read(span?: ByteSpan): AsyncIterable<Uint8Array>;
  release(): void;
}

export interface ObjectListQuery {
  readonly prefix: string;
  /** Empty: none. */
  readonly delimiter: string;
  /** Start after this key, or after this common prefix (exclusive). */
  readonly after: string;
  readonly limit: number;
}

/** One page in byte order of UTF-8; a common prefix counts as one entry. */
export interface ObjectPage {
  readonly objects: readonly ObjectInfo[];
  readonly commonPrefixes: readonly string[];
  /** `after` of the next page; undefined on the last one. */
  readonly next: string | undefined;
}

export interface ObjectAddress {
  readonly bucket: string;
  readonly key: string;
}

export interface UploadAddress extends ObjectAddress {
  readonly uploadId: string;
}

export interface UploadInfo extends UploadAddress {
  readonly initiatedAt: number;
}

export interface PartInfo {
  readonly partNumber: number;
  readonly size: number;
  readonly etag: string;
  readonly crc64: string;
  readonly lastModified: number;
}

export interface CompleteOptions {
  /** Every part but the last must have at least this size, else EntityTooSmall. */
  readonly minPartBytes: number;
  readonly condition?: WriteCondition;
}

export interface UploadListQuery {
  readonly prefix: string;
  readonly afterKey: string;
  /** With `afterKey`: uploads of the same key with a greater id follow. Empty: only greater keys. */
  readonly afterUploadId: string;
  readonly limit: number;
}

/**
 * Objects in buckets: the full interface that the objects door uses.
 *
 * Promises: a resolved write is on disk, bytes and metadata, together with its event; a rejected or killed one leaves the
 * old object; bytes stream both ways in constant memory with back-pressure; a key is data and never names a file. Keys are
 * at most 1023 bytes of UTF-8 without U+0000 (checked: InvalidObjectName). Operations on a bucket that does not exist
 * reject with NoSuchBucket, on an upload that does not exist (or belongs to another key) with NoSuchUpload.
 * What would leave the account of the bucket with more than its quota rejects with LimitExceededError and changes nothing.
 * Permission is the caller's business.
 */
export interface ObjectStore extends ObjectSource {
  bucket(name: string): Promise<BucketDetails | undefined>;
  /**
   * Creates the bucket, private unless `acl` says otherwise; creating one's own bucket again only sets the acl when given.
   * BucketAlreadyExists when it is another account's, InvalidBucketName.
   */
  createBucket(account: string, name: string, acl: BucketAcl | undefined): Promise<BucketDetails>;
  setBucketAcl(name: string, acl: BucketAcl): Promise<void>;
  /** BucketNotEmpty while it has objects or multipart uploads. */
  deleteBucket(name: string): Promise<void>;
  listBuckets(
    account: string,
    query: { prefix: string; after: string; limit: number },
  ): Promise<readonly BucketDetails[]>;

  usage(account: string): Promise<ObjectUsage>;

  /** Undefined: no such object. */
  head(bucket: string, key: string): Promise<ObjectInfo | undefined>;
  openObject(bucket: string, key: string): Promise<OpenObject | undefined>;
  put(
    bucket: string,
    key: string,
    body: AsyncIterable<Uint8Array>,
    options: PutOptions,
    context: WriteContext,
  ): Promise<ObjectInfo>;
  /**
   * Copies bytes, and headers unless `headers` replaces them. NoSuchKey when there is no source; `sourceEtag` must still be
   * its etag, else PreconditionFailed.
   */
  copy(
    source: ObjectAddress & { readonly sourceEtag: string },
    target: ObjectAddress,
    options: { readonly headers?: ObjectHeaders; readonly condition?: WriteCondition },
    context: WriteContext,
  ): Promise<ObjectInfo>;
  /** Removes those of the keys that exist, all in one transaction, with one event each. Resolves to the keys that existed. */
  remove(
    bucket: string,
    keys: readonly string[],
    eventName: 'ObjectRemoved:DeleteObject' | 'ObjectRemoved:DeleteObjects',
    context: WriteContext,
  ): Promise<readonly string[]>;
  list(bucket: string, query: ObjectListQuery): Promise<ObjectPage>;

  createUpload(bucket: string, key: string, headers: ObjectHeaders): Promise<UploadInfo>;
  /** Replaces an earlier part of the same number. */
  putPart(
    upload: UploadAddress,
    partNumber: number,
    body: AsyncIterable<Uint8Array>,
    digests: ExpectedDigests,
  ): Promise<PartInfo>;
  /** Parts with a greater number than `after`, ascending. */
  listParts(upload: UploadAddress, query: { after: number; limit: number }): Promise<readonly PartInfo[]>;
  /** Uploads in progress by key, then upload id. */
  listUploads(bucket: string, query: UploadListQuery): Promise<readonly UploadInfo[]>;
  /**
   * Makes the object of the named parts, in one transaction with the event `ObjectCreated:CompleteMultipartUpload`; other
   * parts are discarded. InvalidPart, InvalidPartOrder, EntityTooSmall, PreconditionFailed leave the upload as it was.
   */
  completeUpload(
    upload: UploadAddress,
    parts: readonly { readonly partNumber: number; readonly etag: string }[],
    options: CompleteOptions,
    context: WriteContext,
  ): Promise<ObjectInfo>;
  abortUpload(upload: UploadAddress): Promise<void>;
}
