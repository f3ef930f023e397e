import { promises as streams } from 'node:stream';
import { TidemillError } from '../../core/domain/errors.ts';
import type { ObjectInfo, OpenObject, WriteCondition } from '../../core/ports/object-store.ts';
import { type Call, isoTime } from './call.ts';
import { evaluateConditions, rangeStillHolds, readConditions, unquoteEtag } from './conditions.ts';
import { headerPrefix } from './dialect.ts';
import { keyWriter } from './listing-operations.ts';
import { objectResponseHeaders, readObjectHeaders, responseOverrides } from './object-headers.ts';
import { parseRange } from './range.ts';
import { checkExpectedOwner } from './authorize.ts';
import { element, malformed, parseXml } from './xml.ts';

const MAX_DELETES = 1000;

export function noSuchKey(): TidemillError {
  return new TidemillError('NoSuchKey', 'The specified key does not exist');
}

export async function getObject(call: Call): Promise<void> {
  const object = await call.store.openObject(call.bucketName, call.key);
  if (object === undefined) throw noSuchKey();
  try {
    await sendObject(call, object);
  } finally {
    object.release();
  }
}

export async function headObject(call: Call): Promise<void> {
  const info = await call.store.head(call.bucketName, call.key);
  if (info === undefined) throw noSuchKey();
  const answer = planAnswer(call, info);
  if (answer.status === 304) call.empty(304, answer.headers);
  else call.res.writeHead(answer.status, answer.headers).end();
}

/** OSS `?objectMeta`: the three facts, without user metadata. */
export async function objectMeta(call: Call): Promise<void> {
  const info = await call.store.head(call.bucketName, call.key);
  if (info === undefined) throw noSuchKey();
  call.res.writeHead(200, {
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.lastModified).toUTCString(),
    'content-length': String(info.size),
    'x-oss-hash-crc64ecma': info.crc64,
  });
  call.res.end();
}

interface Answer {
  readonly status: 200 | 206 | 304;
  readonly headers: Record<string, string>;
  readonly start: number;
  readonly end: number;
}

/** Conditions, then range, then overrides. Throws PreconditionFailed and InvalidRange. */
function planAnswer(call: Call, info: ObjectInfo): Answer {
  const { request, dialect } = call;
  const headers = { ...objectResponseHeaders(info, dialect), ...writerHeaders(call, info) };
  const condition = evaluateConditions(readConditions(request.header), info);
  if (condition === 'failed')
    throw new TidemillError('PreconditionFailed', 'A precondition of the request does not hold');
  if (condition === 'not-modified') {
    const { etag = '', 'last-modified': lastModified = '' } = headers;
    return { status: 304, headers: { etag, 'last-modified': lastModified }, start: 0, end: -1 };
  }
  Object.assign(headers, responseOverrides(request));
  const wanted = rangeStillHolds(request.header('if-range'), info) ? request.header('range') : undefined;
  const range = parseRange(wanted, info.size);
  if (range === 'unsatisfiable') {
    call.res.setHeader('content-range', `bytes */${info.size}`);
    throw new TidemillError('InvalidRange', `The object has ${info.size} bytes, none of them in the range asked for`);
  }
  if (range === 'whole') {
    return { status: 200, headers: { ...headers, 'content-length': String(info.size) }, start: 0, end: info.size - 1 };
  }
  headers['content-range'] = `bytes ${range.start}-${range.end}/${info.size}`;
  headers['content-length'] = String(range.end - range.start + 1);
  return { status: 206, headers, ...range };
}

/** Which function wrote the object, for those who may know it. */
function writerHeaders(call: Call, { lineage }: ObjectInfo): Record<string, string> {
  const writer = lineage?.chain?.at(-1);
  if (lineage === undefined || writer === undefined || call.principal?.account !== call.bucket.account) return {};
  return { 'x-tidemill-written-by': `${writer.functionName} ${writer.requestId}; hops=${lineage.hops}` };
}

async function sendObject(call: Call, object: OpenObject): Promise<void> {
  const answer = planAnswer(call, object.info);
  if (answer.status === 304) {
    call.empty(304, answer.headers);
    return;
  }
  call.res.writeHead(answer.status, answer.headers);
  if (answer.end < answer.start) {
    call.res.end();
    return;
  }
  await streams.pipeline(object.read(answer), call.res);
}

export async function putObject(call: Call): Promise<void> {
  const forbidOverwrite = forbidsOverwrite(call);
  const condition = writeCondition(call);
  const context = call.writeContext();
  const options = {
    ...readObjectHeaders(call.request.headers, call.dialect),
    ...call.body.digests(),
    eventName: 'ObjectCreated:PutObject',
    condition: forbidOverwrite ? { ...condition, mustNotExist: true } : condition,
  } as const;
  const put = call.store.put(call.bucketName, call.key, call.body.stream(), options, context);
  const info = forbidOverwrite ? await put.catch(asFileExists) : await put;
  call.empty(200, writtenHeaders(call, info));
}

/** OSS header `x-oss-forbid-overwrite`. */
export function forbidsOverwrite(call: Call): boolean {
  return call.dialect === 'oss' && call.ownHeader('forbid-overwrite')?.toLowerCase() === 'true';
}

/** OSS has its own name for an object that is in the way. */
export function asFileExists(error: unknown): never {
  if (error instanceof TidemillError && error.code === 'PreconditionFailed') {
    throw new TidemillError('FileAlreadyExists', 'The object exists already and x-oss-forbid-overwrite is true');
  }
  throw error;
}

/** `If-None-Match: *` and `If-Match` on a write. */
export function writeCondition(call: Call): WriteCondition {
  const ifNoneMatch = call.request.header('if-none-match');
  const ifMatch = call.request.header('if-match');
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
    throw new TidemillError('NotSupported', 'If-None-Match with an ETag is not supported on a write', {
      remedy: 'Use *.',
    });
  }
  return {
    ...(ifNoneMatch === undefined ? {} : { mustNotExist: true }),
    ...(ifMatch === undefined ? {} : { mustMatch: unquoteEtag(ifMatch) }),
  };
}

/** What an answer to a write tells: ETag, and the checksums in the dialect's own headers. */
export function writtenHeaders(call: Call, written: { etag: string; crc64: string }): Record<string, string> {
  const headers: Record<string, string> = { etag: `"${written.etag}"` };
  if (call.dialect === 'oss') headers['x-oss-hash-crc64ecma'] = written.crc64;
  for (const [name, value] of call.body.verified) headers[name] = value;
  return headers;
}

export async function deleteObject(call: Call): Promise<void> {
  await call.store.remove(call.bucketName, [call.key], 'ObjectRemoved:DeleteObject', call.writeContext());
  call.empty(204);
}

export async function deleteObjects(call: Call): Promise<void> {
  const { dialect, request } = call;
  const hasDigest = ['content-md5', 'x-amz-trailer', 'x-amz-content-sha256'].some(
    (name) => request.header(name) !== undefined,
  );
  if (!hasDigest && dialect === 'oss')
    throw new TidemillError('MissingRequiredHeader', 'The header Content-MD5 is missing');
  const document = parseXml(await call.body.text(), 'Delete');
  const keys = document.children('Object').map((object) => {
    const unknown = object.childNames().find((name) => name !== 'Key' && object.text(name) !== '');
    if (unknown !== undefined) {
      throw new TidemillError('NotSupported', `${unknown} of an object to delete is not supported`, {
        remedy: 'Leave it out.',
      });
    }
    return object.text('Key') ?? '';
  });
  if (keys.length === 0 || keys.length > MAX_DELETES || keys.includes('')) {
    throw malformed(`it must name 1 to ${MAX_DELETES} objects`);
  }
  for (const key of keys) {
    call.authorize({ bucket: call.bucket, key, permission: 'write', action: 'oss:DeleteObject' });
  }
  await call.store.remove(call.bucketName, keys, 'ObjectRemoved:DeleteObjects', call.writeContext());
  const encodingType = request.param('encoding-type');
  const write = keyWriter(encodingType, dialect);
  const quiet = document.text('Quiet')?.trim().toLowerCase() === 'true';
  call.xml('DeleteResult', [
    element('EncodingType', encodingType),
    ...(quiet ? [] : keys.map((key) => element('Deleted', [element('Key', write(key))]))),
  ]);
}

/** The source of a copy: opened for the caller, its conditions checked. Release it. */
export async function openCopySource(
  call: Call,
): Promise<{ object: OpenObject; bucket: string; key: string } | 'not-modified'> {
  const { bucket, key } = parseCopySource(call.ownHeader('copy-source') ?? '');
  const found = await call.store.bucket(bucket);
  if (found === undefined) throw new TidemillError('NoSuchBucket', `The source bucket "${bucket}" does not exist`);
  const expectedOwner = call.request.header('x-amz-source-expected-bucket-owner');
  checkExpectedOwner(found, expectedOwner);
  call.authorize({ bucket: found, key, permission: 'read', action: 'oss:GetObject' });
  const object = await call.store.openObject(bucket, key);
  if (object === undefined) throw noSuchKey();
  const conditions = readConditions(call.request.header, `${headerPrefix(call.dialect)}copy-source-`);
  const outcome = evaluateConditions(conditions, object.info);
  if (outcome === 'proceed') return { object, bucket, key };
  object.release();
  if (outcome === 'not-modified' && call.dialect === 'oss') return 'not-modified';
  throw new TidemillError('PreconditionFailed', 'A precondition on the source object does not hold');
}

/** Splits `/bucket/key` or `bucket/key`, percent-encoded. */
export function parseCopySource(header: string): { bucket: string; key: string } {
  if (/\?versionId=/.test(header)) {
    throw new TidemillError('NotSupported', 'versionId of a copy source is not supported', { remedy: 'Leave it out.' });
  }
  let decoded: string;
  try {
    decoded = decodeURIComponent(Buffer.from(header, 'latin1').toString('utf8'));
  } catch {
    throw new TidemillError('InvalidArgument', 'The copy source is not percent-encoded UTF-8');
  }
  const match = /^\/?([^/]+)\/(.+)$/s.exec(decoded);
  if (match === null) throw new TidemillError('InvalidArgument', 'The copy source is not /BUCKET/KEY');
  const [, bucket = '', key = ''] = match;
  return { bucket, key };
}

export async function copyObject(call: Call): Promise<void> {
  const directive = (call.ownHeader('metadata-directive') ?? 'COPY').toUpperCase();
  if (directive !== 'COPY' && directive !== 'REPLACE') {
    throw new TidemillError('InvalidArgument', 'The metadata directive must be COPY or REPLACE');
  }
  const context = call.writeContext();
  const source = await openCopySource(call);
  if (source === 'not-modified') {
    call.empty(304);
    return;
  }
  try {
    const sameObject = source.bucket === call.bucketName && source.key === call.key;
    if (sameObject && directive === 'COPY' && call.dialect === 's3') {
      throw new TidemillError('InvalidArgument', 'Copying an object to itself needs the metadata directive REPLACE');
    }
    // ali-oss repeats the conditions on the source as plain ones: only S3 means the target by them.
    const condition = call.dialect === 's3' ? writeCondition(call) : { mustNotExist: forbidsOverwrite(call) };
    const headers = directive === 'REPLACE' ? readObjectHeaders(call.request.headers, call.dialect) : undefined;
    const copied = call.store.copy(
      { bucket: source.bucket, key: source.key, sourceEtag: source.object.info.etag },
      { bucket: call.bucketName, key: call.key },
      { condition, ...(headers === undefined ? {} : { headers }) },
      context,
    );
    const info = forbidsOverwrite(call) ? await copied.catch(asFileExists) : await copied;
    call.xml(
      'CopyObjectResult',
      [element('LastModified', isoTime(info.lastModified)), element('ETag', `"${info.etag}"`)],
      call.dialect === 'oss' ? { 'x-oss-hash-crc64ecma': info.crc64 } : {},
    );
  } finally {
    source.object.release();
  }
}
