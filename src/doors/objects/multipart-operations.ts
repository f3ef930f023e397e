import { TidemillError } from '../../core/domain/errors.ts';
import type { PartInfo, UploadAddress } from '../../core/ports/object-store.ts';
import { type Call, isoTime } from './call.ts';
import { unquoteEtag } from './conditions.ts';
import { keyWriter, readLimit } from './listing-operations.ts';
import { readObjectHeaders } from './object-headers.ts';
import { asFileExists, forbidsOverwrite, openCopySource, writeCondition, writtenHeaders } from './object-operations.ts';
import { element, malformed, parseXml } from './xml.ts';

/** Smallest part but the last: 100 KiB in OSS, 5 MiB in S3. */
const MIN_PART_BYTES = { oss: 100 * 1024, s3: 5 * 1024 * 1024 } as const;
const MAX_PARTS = 10_000;

function uploadAddress(call: Call): UploadAddress {
  return { bucket: call.bucketName, key: call.key, uploadId: call.request.param('uploadId') ?? '' };
}

function partNumber(call: Call): number {
  const value = call.request.param('partNumber') ?? '';
  if (/^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= MAX_PARTS) return Number(value);
  throw new TidemillError('InvalidArgument', `partNumber must be an integer from 1 to ${MAX_PARTS}`);
}

export async function initiateUpload(call: Call): Promise<void> {
  if (call.request.header('x-amz-checksum-type')?.toUpperCase() === 'FULL_OBJECT') {
    throw new TidemillError('NotSupported', 'x-amz-checksum-type FULL_OBJECT is not supported', {
      remedy: 'Use COMPOSITE.',
    });
  }
  const encodingType = call.request.param('encoding-type');
  const write = keyWriter(encodingType, call.dialect);
  if (forbidsOverwrite(call) && (await call.store.head(call.bucketName, call.key)) !== undefined) {
    asFileExists(new TidemillError('PreconditionFailed', 'exists'));
  }
  const headers = readObjectHeaders(call.request.headers, call.dialect);
  const upload = await call.store.createUpload(call.bucketName, call.key, headers);
  call.xml('InitiateMultipartUploadResult', [
    element('EncodingType', encodingType),
    element('Bucket', upload.bucket),
    element('Key', write(upload.key)),
    element('UploadId', upload.uploadId),
  ]);
}

export async function uploadPart(call: Call): Promise<void> {
  const part = await call.store.putPart(uploadAddress(call), partNumber(call), call.body.stream(), call.body.digests());
  call.empty(200, writtenHeaders(call, part));
}

export async function uploadPartCopy(call: Call): Promise<void> {
  const number = partNumber(call);
  const source = await openCopySource(call);
  if (source === 'not-modified') {
    call.empty(304);
    return;
  }
  try {
    const { object } = source;
    const span = copyRange(call.ownHeader('copy-source-range'), object.info.size);
    const part = await call.store.putPart(uploadAddress(call), number, object.read(span), {});
    call.xml(
      'CopyPartResult',
      [element('LastModified', isoTime(part.lastModified)), element('ETag', `"${part.etag}"`)],
      { etag: `"${part.etag}"` },
    );
  } finally {
    source.object.release();
  }
}

function copyRange(header: string | undefined, size: number): { start: number; end: number } | undefined {
  if (header === undefined) return undefined;
  const match = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header.trim());
  const start = Number(match?.[1]);
  const end = Number(match?.[2]);
  if (match === null || start > end || end >= size) {
    throw new TidemillError('InvalidArgument', `The copy source range must be bytes=FIRST-LAST within ${size} bytes`);
  }
  return { start, end };
}

export async function listParts(call: Call): Promise<void> {
  const { request, dialect } = call;
  const address = uploadAddress(call);
  const encodingType = request.param('encoding-type');
  const write = keyWriter(encodingType, dialect);
  const limit = readLimit(request.param('max-parts'), 'max-parts', 1000, dialect);
  const marker = request.param('part-number-marker') ?? '';
  if (!/^\d{0,9}$/.test(marker)) throw new TidemillError('InvalidArgument', 'part-number-marker must be an integer');
  const after = Number(marker);
  const found = await call.store.listParts(address, { after, limit: limit + 1 });
  const page = found.slice(0, limit);
  const { account } = call.bucket;
  call.xml('ListPartsResult', [
    element('EncodingType', encodingType),
    element('Bucket', address.bucket),
    element('Key', write(address.key)),
    element('UploadId', address.uploadId),
    element('Initiator', dialect === 's3' ? [element('ID', account), element('DisplayName', account)] : undefined),
    element('Owner', dialect === 's3' ? [element('ID', account), element('DisplayName', account)] : undefined),
    element('StorageClass', dialect === 'oss' ? 'Standard' : 'STANDARD'),
    element('PartNumberMarker', after),
    element('NextPartNumberMarker', page.at(-1)?.partNumber ?? after),
    element('MaxParts', limit),
    element('IsTruncated', found.length > limit),
    ...page.map((part) => partElement(call, part)),
  ]);
}

function partElement(call: Call, part: PartInfo): ReturnType<typeof element> {
  return element('Part', [
    element('PartNumber', part.partNumber),
    element('LastModified', isoTime(part.lastModified)),
    element('ETag', `"${part.etag}"`),
    element('HashCrc64ecma', call.dialect === 'oss' ? part.crc64 : undefined),
    element('Size', part.size),
  ]);
}

export async function listUploads(call: Call): Promise<void> {
  const { request, dialect } = call;
  const encodingType = request.param('encoding-type');
  const write = keyWriter(encodingType, dialect);
  const limit = readLimit(request.param('max-uploads'), 'max-uploads', 1000, dialect);
  const prefix = request.param('prefix') ?? '';
  const keyMarker = request.param('key-marker') ?? '';
  const idMarker = request.param('upload-id-marker') ?? '';
  const query = { prefix, afterKey: keyMarker, afterUploadId: idMarker, limit: limit + 1 };
  const found = await call.store.listUploads(call.bucketName, query);
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  call.xml('ListMultipartUploadsResult', [
    element('EncodingType', encodingType),
    element('Bucket', call.bucketName),
    element('KeyMarker', write(keyMarker)),
    element('UploadIdMarker', idMarker),
    element('NextKeyMarker', write(last?.key ?? '')),
    element('NextUploadIdMarker', last?.uploadId ?? ''),
    element('Prefix', write(prefix)),
    element('MaxUploads', limit),
    element('IsTruncated', last !== undefined),
    ...page.map((upload) =>
      element('Upload', [
        element('Key', write(upload.key)),
        element('UploadId', upload.uploadId),
        element('StorageClass', dialect === 'oss' ? 'Standard' : 'STANDARD'),
        element('Initiated', isoTime(upload.initiatedAt)),
      ]),
    ),
  ]);
}

export async function completeUpload(call: Call): Promise<void> {
  const address = uploadAddress(call);
  const parts = await chosenParts(call, address);
  const encodingType = call.request.param('encoding-type');
  const write = keyWriter(encodingType, call.dialect);
  const forbidOverwrite = forbidsOverwrite(call);
  const condition = forbidOverwrite ? { mustNotExist: true } : writeCondition(call);
  const options = { condition, minPartBytes: MIN_PART_BYTES[call.dialect] };
  const completed = call.store.completeUpload(address, parts, options, call.writeContext());
  const info = forbidOverwrite ? await completed.catch(asFileExists) : await completed;
  const host = call.request.header('host') ?? '';
  call.xml(
    'CompleteMultipartUploadResult',
    [
      element('EncodingType', encodingType),
      element('Location', `http://${host}${call.request.path}`),
      element('Bucket', info.bucket),
      element('Key', write(info.key)),
      element('ETag', `"${info.etag}"`),
    ],
    writtenHeaders(call, info),
  );
}

/** The parts that the document names; all that were uploaded with OSS `x-oss-complete-all: yes`. */
async function chosenParts(
  call: Call,
  address: UploadAddress,
): Promise<readonly { partNumber: number; etag: string }[]> {
  const text = await call.body.text();
  const all = call.dialect === 'oss' ? call.ownHeader('complete-all') : undefined;
  if (all !== undefined) {
    if (all.toLowerCase() !== 'yes' || text.trim() !== '') {
      throw new TidemillError('InvalidArgument', 'x-oss-complete-all must be yes and excludes a list of parts');
    }
    return call.store.listParts(address, { after: 0, limit: MAX_PARTS });
  }
  const parts = parseXml(text, 'CompleteMultipartUpload')
    .children('Part')
    .map((part) => {
      const number = part.text('PartNumber')?.trim() ?? '';
      if (!/^\d{1,5}$/.test(number)) throw malformed('a Part has no PartNumber');
      return { partNumber: Number(number), etag: unquoteEtag(part.text('ETag') ?? '') };
    });
  if (parts.length === 0 || parts.length > MAX_PARTS) throw malformed(`it must name 1 to ${MAX_PARTS} parts`);
  return parts;
}

export async function abortUpload(call: Call): Promise<void> {
  await call.store.abortUpload(uploadAddress(call));
  call.empty(204);
}
