import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../../core/base/clock.ts';
import type { Disposable } from '../../core/base/disposable.ts';
import { Emitter } from '../../core/base/emitter.ts';
import { toHex } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type {
  BucketAcl,
  BucketDetails,
  CompleteOptions,
  ExpectedDigests,
  ObjectAddress,
  ObjectEvent,
  ObjectHeaders,
  ObjectInfo,
  ObjectListQuery,
  ObjectPage,
  ObjectQuotas,
  ObjectStore,
  ObjectUsage,
  OpenObject,
  PartInfo,
  PutOptions,
  UploadAddress,
  UploadInfo,
  UploadListQuery,
  WriteCondition,
  WriteContext,
} from '../../core/ports/object-store.ts';
import { inTransaction } from '../sqlite/database.ts';
import { ContentFiles, type Piece, type WrittenContent } from './content-files.ts';
import { listObjects } from './listing.ts';
import { afterPrefix, checkBucketName, checkKey } from './names.ts';
import { toBucket } from './rows.ts';
import { openDatabase } from './schema.ts';
import { checkCondition, type NewBody, Tables } from './tables.ts';
import { checkPartNumber, Uploads } from './uploads.ts';

export interface ObjectStoreOptions {
  /** Folder of this store alone; made when missing. One process at a time may open it. */
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  /** The most an account may have; default: no limit. */
  readonly quotasOf?: (account: string) => ObjectQuotas;
}

/** Opens the object store in a folder, converging what a killed process left: half-written and orphaned files go. */
export async function openObjectStore(options: ObjectStoreOptions): Promise<ObjectStore & { close(): Promise<void> }> {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const database = openDatabase(join(options.dir, 'objects.db'));
  try {
    const tables = new Tables(database, options.quotasOf ?? (() => UNLIMITED));
    const files = new ContentFiles(options.dir, options.random);
    files.sweep((id) => tables.isReferenced(id));
    return new FileObjectStore(database, tables, files, options);
  } catch (error) {
    database.close();
    throw error;
  }
}

const UNLIMITED: ObjectQuotas = { objects: Number.POSITIVE_INFINITY, objectBytes: Number.POSITIVE_INFINITY };

/** The freed content files of a transaction beside its result. */
interface Change<T> {
  readonly result: T;
  readonly freed: readonly string[];
}

class FileObjectStore implements ObjectStore {
  private readonly changed = new Emitter<void>();
  private readonly database: DatabaseSync;
  private readonly tables: Tables;
  private readonly uploads: Uploads;
  private readonly files: ContentFiles;
  private readonly clock: Clock;
  private readonly random: Random;

  constructor(database: DatabaseSync, tables: Tables, files: ContentFiles, options: ObjectStoreOptions) {
    this.database = database;
    this.tables = tables;
    this.uploads = new Uploads(tables);
    this.files = files;
    this.clock = options.clock;
    this.random = options.random;
  }

  async close(): Promise<void> {
    await this.files.settle();
    if (this.database.isOpen) this.database.close();
  }

  async bucket(name: string): Promise<BucketDetails | undefined> {
    return this.tables.bucket(name);
  }

  async createBucket(account: string, name: string, acl: BucketAcl | undefined): Promise<BucketDetails> {
    checkBucketName(name);
    return inTransaction(this.database, () => {
      const existing = this.tables.bucket(name);
      if (existing !== undefined && existing.account !== account) {
        throw new TidemillError('BucketAlreadyExists', `The bucket "${name}" belongs to another account`);
      }
      if (existing === undefined) {
        this.tables
          .sql('INSERT INTO bucket (name, account, acl, created_at) VALUES (?, ?, ?, ?)')
          .run(name, account, acl ?? 'private', this.clock.now());
      } else if (acl !== undefined) {
        this.tables.sql('UPDATE bucket SET acl = ? WHERE name = ?').run(acl, name);
      }
      return this.tables.requireBucket(name);
    });
  }

  async setBucketAcl(name: string, acl: BucketAcl): Promise<void> {
    inTransaction(this.database, () => {
      this.tables.requireBucket(name);
      this.tables.sql('UPDATE bucket SET acl = ? WHERE name = ?').run(acl, name);
    });
  }

  async deleteBucket(name: string): Promise<void> {
    inTransaction(this.database, () => {
      this.tables.requireBucket(name);
      const used =
        this.tables.sql('SELECT 1 FROM object WHERE bucket = ? LIMIT 1').get(name) ??
        this.tables.sql('SELECT 1 FROM upload WHERE bucket = ? LIMIT 1').get(name);
      if (used !== undefined) {
        throw new TidemillError('BucketNotEmpty', `The bucket "${name}" has objects or multipart uploads in it`);
      }
      this.tables.sql('DELETE FROM bucket WHERE name = ?').run(name);
    });
  }

  async listBuckets(
    account: string,
    query: { prefix: string; after: string; limit: number },
  ): Promise<readonly BucketDetails[]> {
    return this.tables
      .sql(
        `SELECT * FROM bucket WHERE account = :account AND name > :after AND name >= :prefix
         AND (:end IS NULL OR name < :end) ORDER BY name LIMIT :limit`,
      )
      .all({ account, ...query, end: afterPrefix(query.prefix) ?? null })
      .map(toBucket);
  }

  async usage(account: string): Promise<ObjectUsage> {
    return this.tables.usage.of(account);
  }

  async head(bucket: string, key: string): Promise<ObjectInfo | undefined> {
    this.tables.requireBucket(bucket);
    return this.tables.object(bucket, key)?.info;
  }

  async openObject(bucket: string, key: string): Promise<OpenObject | undefined> {
    this.tables.requireBucket(bucket);
    const row = this.tables.object(bucket, key);
    if (row === undefined) return undefined;
    const pieces = this.tables.pieces(row.body);
    const { info } = row;
    const release = this.files.pin(pieces);
    return {
      info,
      read: (span) => this.files.read(pieces, span?.start ?? 0, span?.end ?? info.size - 1),
      release,
    };
  }

  /** The body must be read to its end or closed: until then the bytes stay on disk. */
  async open(
    account: string,
    bucket: string,
    key: string,
  ): Promise<{ info: ObjectInfo; body: AsyncIterable<Uint8Array> } | undefined> {
    if (this.tables.bucket(bucket)?.account !== account) return undefined;
    const object = await this.openObject(bucket, key);
    return object === undefined ? undefined : { info: object.info, body: readOnce(object) };
  }

  async put(
    bucket: string,
    key: string,
    body: AsyncIterable<Uint8Array>,
    options: PutOptions,
    context: WriteContext,
  ): Promise<ObjectInfo> {
    checkKey(key);
    this.tables.requireBucket(bucket);
    checkCondition(this.tables.object(bucket, key)?.info, options.condition);
    const content = await this.files.write(body, options);
    return this.commitContent(content, () =>
      this.place({ bucket, key }, toBody(content), options, options.eventName, options.condition, context),
    );
  }

  async copy(
    source: ObjectAddress & { readonly sourceEtag: string },
    target: ObjectAddress,
    options: { readonly headers?: ObjectHeaders; readonly condition?: WriteCondition },
    context: WriteContext,
  ): Promise<ObjectInfo> {
    checkKey(target.key);
    return this.commit(() => {
      this.tables.requireBucket(source.bucket);
      const row = this.tables.object(source.bucket, source.key);
      if (row === undefined) throw new TidemillError('NoSuchKey', 'The object to be copied does not exist');
      checkCondition(row.info, { mustMatch: source.sourceEtag });
      const body = { ...row.info, pieces: this.tables.pieces(row.body) };
      const headers = options.headers ?? row.info;
      return this.place(target, body, headers, 'ObjectCreated:CopyObject', options.condition, context);
    });
  }

  async remove(
    bucket: string,
    keys: readonly string[],
    eventName: 'ObjectRemoved:DeleteObject' | 'ObjectRemoved:DeleteObjects',
    context: WriteContext,
  ): Promise<readonly string[]> {
    return this.commit(() => {
      this.tables.requireBucket(bucket);
      const at = this.clock.now();
      const removed: string[] = [];
      const freed: string[] = [];
      for (const key of keys) {
        const row = this.tables.object(bucket, key);
        if (row === undefined) continue;
        this.tables.sql('DELETE FROM object WHERE bucket = ? AND key = ?').run(bucket, key);
        freed.push(...this.tables.dropBody(row.body));
        this.tables.usage.add(bucket, -1, -row.info.size);
        this.tables.appendEvent(at, { eventName, info: row.info, deltaSize: -row.info.size, context });
        removed.push(key);
      }
      return { result: removed, freed };
    });
  }

  async list(bucket: string, query: ObjectListQuery): Promise<ObjectPage> {
    this.tables.requireBucket(bucket);
    return listObjects(this.tables, bucket, query);
  }

  async createUpload(bucket: string, key: string, headers: ObjectHeaders): Promise<UploadInfo> {
    checkKey(key);
    const uploadId = toHex(this.random.bytes(16)).toUpperCase();
    const upload = { bucket, key, uploadId, initiatedAt: this.clock.now() };
    inTransaction(this.database, () => {
      this.tables.requireBucket(bucket);
      this.uploads.create(upload, headers);
    });
    return upload;
  }

  async putPart(
    upload: UploadAddress,
    partNumber: number,
    body: AsyncIterable<Uint8Array>,
    digests: ExpectedDigests,
  ): Promise<PartInfo> {
    checkPartNumber(partNumber);
    this.uploads.require(upload);
    const content = await this.files.write(body, digests);
    return this.commitContent(content, () => {
      const at = this.clock.now();
      const freed = this.uploads.placePart(upload, partNumber, toBody(content), at);
      const { size, md5, crc64 } = content;
      return { freed, result: { partNumber, size, etag: md5, crc64, lastModified: at } };
    });
  }

  async listParts(upload: UploadAddress, query: { after: number; limit: number }): Promise<readonly PartInfo[]> {
    return this.uploads.parts(upload, query.after, query.limit);
  }

  async listUploads(bucket: string, query: UploadListQuery): Promise<readonly UploadInfo[]> {
    this.tables.requireBucket(bucket);
    return this.uploads.list(bucket, query);
  }

  async completeUpload(
    upload: UploadAddress,
    parts: readonly { readonly partNumber: number; readonly etag: string }[],
    options: CompleteOptions,
    context: WriteContext,
  ): Promise<ObjectInfo> {
    return this.commit(() => {
      const headers = this.uploads.require(upload);
      const body = this.uploads.assemble(upload, parts, options);
      const eventName = 'ObjectCreated:CompleteMultipartUpload';
      const placed = this.place(upload, body, headers, eventName, options.condition, context);
      return { result: placed.result, freed: [...placed.freed, ...this.uploads.drop(upload)] };
    });
  }

  async abortUpload(upload: UploadAddress): Promise<void> {
    this.commit(() => {
      this.uploads.require(upload);
      return { result: undefined, freed: this.uploads.drop(upload) };
    });
  }

  async events(afterSequence: number, limit: number): Promise<readonly ObjectEvent[]> {
    return this.tables.events(afterSequence, limit);
  }

  async acknowledge(sequence: number): Promise<void> {
    this.tables.sql('DELETE FROM event WHERE sequence <= ?').run(sequence);
  }

  onEvent(listener: () => void): Disposable {
    return this.changed.subscribe(listener);
  }

  private place(
    target: ObjectAddress,
    body: NewBody,
    headers: ObjectHeaders,
    eventName: string,
    condition: WriteCondition | undefined,
    context: WriteContext,
  ): Change<ObjectInfo> {
    const place = { ...target, body: this.tables.insertBody(body), at: this.clock.now(), eventName, headers };
    const { info, freed } = this.tables.placeObject(place, condition, context);
    return { result: info, freed };
  }

  /** Runs a change in a transaction, then discards what it freed and tells the listeners. */
  private commit<T>(change: () => Change<T>): T {
    const { result, freed } = inTransaction(this.database, () => this.tables.usage.within(change));
    for (const content of freed) this.files.discard(content);
    this.changed.emit();
    return result;
  }

  /** Like `commit`, for a change that takes over a content file: the file goes when nothing refers to it in the end. */
  private commitContent<T>(content: WrittenContent, change: () => Change<T>): T {
    try {
      return this.commit(change);
    } finally {
      if (!this.tables.isReferenced(content.id)) this.files.discard(content.id);
    }
  }
}

function toBody(content: WrittenContent): NewBody {
  const pieces: Piece[] = content.size === 0 ? [] : [{ content: content.id, size: content.size }];
  return { size: content.size, etag: content.md5, crc64: content.crc64, pieces };
}

async function* readOnce(object: OpenObject): AsyncGenerator<Uint8Array> {
  try {
    yield* object.read();
  } finally {
    object.release();
  }
}
