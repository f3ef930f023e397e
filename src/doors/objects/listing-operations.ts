import { TidemillError } from '../../core/domain/errors.ts';
import type { ObjectInfo, ObjectPage } from '../../core/ports/object-store.ts';
import { type Call, isoTime } from './call.ts';
import type { Dialect } from './dialect.ts';
import { percentEncode } from './request.ts';
import { element, type Markup } from './xml.ts';

const MAX_PAGE = 1000;

/** A page size. S3 takes anything above the maximum as the maximum and allows 0; OSS refuses both. */
export function readLimit(value: string | undefined, name: string, standard: number, dialect: Dialect): number {
  if (value === undefined || (value === '' && dialect === 's3')) return standard;
  const limit = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (dialect === 's3' && limit >= 0) return Math.min(limit, MAX_PAGE);
  if (limit >= 1 && limit <= MAX_PAGE) return limit;
  throw new TidemillError('InvalidArgument', `${name} must be an integer from 1 to ${MAX_PAGE}`);
}

/** How keys are written in this answer, by parameter `encoding-type`. */
export function keyWriter(encodingType: string | undefined, dialect: Dialect): (key: string) => string {
  if (encodingType === undefined || encodingType === '') return (key) => key;
  if (encodingType !== 'url') throw new TidemillError('InvalidArgument', 'encoding-type must be url');
  // S3 leaves slashes as they are.
  return (key) => (dialect === 's3' ? key.split('/').map(percentEncode).join('/') : percentEncode(key));
}

/** Parameters that both versions of the list share. */
interface ListParameters {
  readonly prefix: string;
  readonly delimiter: string;
  readonly limit: number;
  readonly encodingType: string | undefined;
  readonly write: (key: string) => string;
}

function readListParameters(call: Call): ListParameters {
  const { request, dialect } = call;
  const encodingType = request.param('encoding-type');
  return {
    prefix: request.param('prefix') ?? '',
    delimiter: request.param('delimiter') ?? '',
    limit: readLimit(request.param('max-keys'), 'max-keys', dialect === 'oss' ? 100 : MAX_PAGE, dialect),
    encodingType,
    write: keyWriter(encodingType, dialect),
  };
}

async function page(call: Call, parameters: ListParameters, after: string): Promise<ObjectPage> {
  const { prefix, delimiter, limit } = parameters;
  if (limit === 0) return { objects: [], commonPrefixes: [], next: undefined };
  return call.store.list(call.bucketName, { prefix, delimiter, limit, after });
}

/** ListObjects, version 1: continued by marker. */
export async function listObjects(call: Call): Promise<void> {
  const parameters = readListParameters(call);
  const marker = call.request.param('marker') ?? '';
  const found = await page(call, parameters, marker);
  const { write } = parameters;
  call.xml('ListBucketResult', [
    element('Name', call.bucketName),
    element('Prefix', write(parameters.prefix)),
    element('Marker', write(marker)),
    element('MaxKeys', parameters.limit),
    element('Delimiter', parameters.delimiter === '' ? undefined : write(parameters.delimiter)),
    element('EncodingType', parameters.encodingType),
    element('IsTruncated', found.next !== undefined),
    element('NextMarker', found.next === undefined ? undefined : write(found.next)),
    ...entries(call, found, write, true),
  ]);
}

/** ListObjects, version 2: continued by an opaque token. */
export async function listObjectsV2(call: Call): Promise<void> {
  const { request } = call;
  const parameters = readListParameters(call);
  const token = request.param('continuation-token');
  const startAfter = request.param('start-after') ?? '';
  const found = await page(call, parameters, token === undefined || token === '' ? startAfter : readToken(token));
  const { write } = parameters;
  const withOwner = request.param('fetch-owner') === 'true';
  call.xml('ListBucketResult', [
    element('Name', call.bucketName),
    element('Prefix', write(parameters.prefix)),
    element('StartAfter', startAfter === '' ? undefined : write(startAfter)),
    element('ContinuationToken', token),
    element('MaxKeys', parameters.limit),
    element('Delimiter', parameters.delimiter === '' ? undefined : write(parameters.delimiter)),
    element('EncodingType', parameters.encodingType),
    element('IsTruncated', found.next !== undefined),
    element('NextContinuationToken', found.next === undefined ? undefined : makeToken(found.next)),
    element('KeyCount', found.objects.length + found.commonPrefixes.length),
    ...entries(call, found, write, withOwner),
  ]);
}

function makeToken(after: string): string {
  return Buffer.from(after, 'utf8').toString('base64url');
}

function readToken(token: string): string {
  const after = Buffer.from(token, 'base64url').toString('utf8');
  if (after !== '' && makeToken(after) === token) return after;
  throw new TidemillError('InvalidArgument', 'The continuation-token is not one that this server gave out');
}

function entries(call: Call, found: ObjectPage, write: (key: string) => string, withOwner: boolean): Markup[] {
  return [
    ...found.objects.map((info) => element('Contents', objectFields(call, info, write, withOwner))),
    ...found.commonPrefixes.map((prefix) => element('CommonPrefixes', [element('Prefix', write(prefix))])),
  ];
}

function objectFields(call: Call, info: ObjectInfo, write: (key: string) => string, withOwner: boolean): Markup[] {
  const { account } = call.bucket;
  const oss = call.dialect === 'oss';
  return [
    element('Key', write(info.key)),
    element('LastModified', isoTime(info.lastModified)),
    element('ETag', `"${info.etag}"`),
    element('Type', oss ? (info.etag.includes('-') ? 'Multipart' : 'Normal') : undefined),
    element('Size', info.size),
    element('StorageClass', oss ? 'Standard' : 'STANDARD'),
    element('Owner', withOwner ? [element('ID', account), element('DisplayName', account)] : undefined),
  ];
}
