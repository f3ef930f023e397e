import { TidemillError } from '../../core/domain/errors.ts';
import type { Address } from './address.ts';
import * as buckets from './bucket-operations.ts';
import type { Call } from './call.ts';
import { type Dialect, headerPrefix } from './dialect.ts';
import * as listing from './listing-operations.ts';
import * as multipart from './multipart-operations.ts';
import * as objects from './object-operations.ts';
import { postObject } from './post-object.ts';
import type { ObjectsRequest } from './request.ts';

/** Who may: `read` and `write` are granted to everybody by a public acl, `owner` never, `account` needs no bucket. */
export type Permission = 'read' | 'write' | 'owner' | 'account';

/** One operation and everything a request for it may carry: anything else is refused by name. */
export interface Route {
  readonly name: string;
  readonly method: string;
  readonly level: 'service' | 'bucket' | 'object';
  readonly permission: Permission;
  /** The right that it takes, on the bucket or object addressed (see docs/reference/policies.md). */
  readonly action: string;
  /** Query parameters that make it this operation. */
  readonly when?: readonly string[];
  /** A header, without the dialect's prefix, that makes it this operation. */
  readonly whenHeader?: string;
  readonly dialect?: Dialect;
  /** Further query parameters it understands. */
  readonly params?: readonly string[];
  /** Headers with the dialect's prefix that it understands; a trailing `*` stands for any ending. */
  readonly headers?: readonly string[];
  /** Conditions such as `if-match` that it evaluates. */
  readonly conditions?: boolean;
  /** The objects it is about, or who asks, are known from its body only: it asks for its right itself. */
  readonly checksItself?: boolean;
  readonly run: (call: Call) => Promise<void>;
}

const RESPONSE_PARAMS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
].map((name) => `response-${name}`);
const LIST_PARAMS = ['prefix', 'delimiter', 'max-keys', 'encoding-type'];
const STORED = ['meta-*', 'storage-class'];
/** What was said when the upload began, which ali-oss sends again with every part and at the end. */
const REPEATED = ['meta-*', 'forbid-overwrite'];
const CHECKSUMS = ['checksum-*', 'sdk-checksum-algorithm', 'trailer', 'decoded-content-length'];
const COPY = ['copy-source', 'copy-source-*', 'source-expected-bucket-owner'];

/** Within a method and level, the first whose `when` and `whenHeader` hold. */
export const ROUTES: readonly Route[] = [
  {
    name: 'ListBuckets',
    method: 'GET',
    level: 'service',
    permission: 'account',
    action: 'oss:ListBuckets',
    run: buckets.listBuckets,
    params: ['prefix', 'marker', 'max-keys', 'max-buckets', 'continuation-token'],
  },
  {
    name: 'GetBucketLocation',
    method: 'GET',
    level: 'bucket',
    permission: 'owner',
    action: 'oss:GetBucketLocation',
    when: ['location'],
    run: buckets.bucketLocation,
  },
  {
    name: 'GetBucketAcl',
    method: 'GET',
    level: 'bucket',
    permission: 'owner',
    action: 'oss:GetBucketAcl',
    when: ['acl'],
    run: buckets.bucketAcl,
  },
  {
    name: 'GetBucketInfo',
    method: 'GET',
    level: 'bucket',
    permission: 'owner',
    action: 'oss:GetBucketInfo',
    when: ['bucketInfo'],
    dialect: 'oss',
    run: buckets.bucketInfo,
  },
  {
    name: 'ListMultipartUploads',
    method: 'GET',
    level: 'bucket',
    permission: 'read',
    action: 'oss:ListMultipartUploads',
    when: ['uploads'],
    run: multipart.listUploads,
    params: ['prefix', 'key-marker', 'upload-id-marker', 'max-uploads', 'encoding-type'],
  },
  {
    name: 'ListObjectsV2',
    method: 'GET',
    level: 'bucket',
    permission: 'read',
    action: 'oss:ListObjects',
    when: ['list-type'],
    run: listing.listObjectsV2,
    params: [...LIST_PARAMS, 'continuation-token', 'start-after', 'fetch-owner'],
  },
  {
    name: 'ListObjects',
    method: 'GET',
    level: 'bucket',
    permission: 'read',
    action: 'oss:ListObjects',
    params: [...LIST_PARAMS, 'marker'],
    run: listing.listObjects,
  },
  {
    name: 'HeadBucket',
    method: 'HEAD',
    level: 'bucket',
    permission: 'read',
    action: 'oss:GetBucketInfo',
    run: buckets.headBucket,
  },
  {
    name: 'PutBucketAcl',
    method: 'PUT',
    level: 'bucket',
    permission: 'owner',
    action: 'oss:PutBucketAcl',
    when: ['acl'],
    headers: ['acl', ...CHECKSUMS],
    run: buckets.putBucketAcl,
  },
  {
    name: 'PutBucket',
    method: 'PUT',
    level: 'bucket',
    permission: 'account',
    action: 'oss:PutBucket',
    headers: ['acl', 'storage-class'],
    run: buckets.createBucket,
  },
  {
    name: 'DeleteBucket',
    method: 'DELETE',
    level: 'bucket',
    permission: 'owner',
    action: 'oss:DeleteBucket',
    run: buckets.deleteBucket,
  },
  {
    name: 'DeleteObjects',
    method: 'POST',
    level: 'bucket',
    permission: 'write',
    action: 'oss:DeleteObject',
    checksItself: true,
    when: ['delete'],
    run: objects.deleteObjects,
    params: ['encoding-type'],
    headers: CHECKSUMS,
  },
  {
    name: 'PostObject',
    method: 'POST',
    level: 'bucket',
    permission: 'write',
    action: 'oss:PutObject',
    checksItself: true,
    run: postObject,
  },

  {
    name: 'ListParts',
    method: 'GET',
    level: 'object',
    permission: 'read',
    action: 'oss:ListParts',
    when: ['uploadId'],
    run: multipart.listParts,
    params: ['max-parts', 'part-number-marker', 'encoding-type'],
  },
  {
    name: 'GetObjectMeta',
    method: 'GET',
    level: 'object',
    permission: 'read',
    action: 'oss:GetObject',
    when: ['objectMeta'],
    dialect: 'oss',
    run: objects.objectMeta,
  },
  {
    name: 'GetObject',
    method: 'GET',
    level: 'object',
    permission: 'read',
    action: 'oss:GetObject',
    run: objects.getObject,
    conditions: true,
    params: RESPONSE_PARAMS,
    headers: ['checksum-mode', 'range-behavior'],
  },
  {
    name: 'GetObjectMeta',
    method: 'HEAD',
    level: 'object',
    permission: 'read',
    action: 'oss:GetObject',
    when: ['objectMeta'],
    dialect: 'oss',
    run: objects.objectMeta,
  },
  {
    name: 'HeadObject',
    method: 'HEAD',
    level: 'object',
    permission: 'read',
    action: 'oss:GetObject',
    run: objects.headObject,
    conditions: true,
    params: RESPONSE_PARAMS,
    headers: ['checksum-mode', 'range-behavior'],
  },
  {
    name: 'UploadPartCopy',
    method: 'PUT',
    level: 'object',
    permission: 'write',
    action: 'oss:PutObject',
    when: ['partNumber', 'uploadId'],
    whenHeader: 'copy-source',
    headers: COPY,
    run: multipart.uploadPartCopy,
  },
  {
    name: 'UploadPart',
    method: 'PUT',
    level: 'object',
    permission: 'write',
    action: 'oss:PutObject',
    when: ['partNumber', 'uploadId'],
    headers: [...CHECKSUMS, ...REPEATED],
    run: multipart.uploadPart,
  },
  {
    name: 'CopyObject',
    method: 'PUT',
    level: 'object',
    permission: 'write',
    action: 'oss:PutObject',
    whenHeader: 'copy-source',
    conditions: true,
    headers: [...STORED, ...COPY, 'metadata-directive', 'forbid-overwrite'],
    run: objects.copyObject,
  },
  {
    name: 'PutObject',
    method: 'PUT',
    level: 'object',
    permission: 'write',
    action: 'oss:PutObject',
    conditions: true,
    run: objects.putObject,
    headers: [...STORED, ...CHECKSUMS, 'forbid-overwrite'],
  },
  {
    name: 'AbortMultipartUpload',
    method: 'DELETE',
    level: 'object',
    permission: 'write',
    action: 'oss:AbortMultipartUpload',
    when: ['uploadId'],
    run: multipart.abortUpload,
  },
  {
    name: 'DeleteObject',
    method: 'DELETE',
    level: 'object',
    permission: 'write',
    action: 'oss:DeleteObject',
    run: objects.deleteObject,
  },
  {
    name: 'InitiateMultipartUpload',
    method: 'POST',
    level: 'object',
    permission: 'write',
    action: 'oss:PutObject',
    when: ['uploads'],
    run: multipart.initiateUpload,
    params: ['encoding-type'],
    headers: [...STORED, 'checksum-algorithm', 'checksum-type', 'sdk-checksum-algorithm', 'forbid-overwrite'],
  },
  {
    name: 'CompleteMultipartUpload',
    method: 'POST',
    level: 'object',
    permission: 'write',
    action: 'oss:PutObject',
    when: ['uploadId'],
    conditions: true,
    params: ['encoding-type'],
    headers: ['complete-all', 'checksum-type', ...REPEATED],
    run: multipart.completeUpload,
  },
];

export function levelOf(address: Address): Route['level'] {
  if (address.bucket === undefined) return 'service';
  return address.key === undefined ? 'bucket' : 'object';
}

/** The operation asked for. Throws NotSupported or MethodNotAllowed naming what is not there. */
export function findRoute(request: ObjectsRequest, address: Address, dialect: Dialect): Route {
  const level = levelOf(address);
  const candidates = ROUTES.filter((route) => route.method === request.method && route.level === level);
  const route = candidates.find(
    (candidate) =>
      (candidate.dialect ?? dialect) === dialect &&
      (candidate.when ?? []).every((name) => request.param(name) !== undefined) &&
      (candidate.whenHeader === undefined ||
        request.header(headerPrefix(dialect) + candidate.whenHeader) !== undefined),
  );
  if (route === undefined) {
    const what = request.query.map(([name]) => name).find((name) => !ALWAYS_PARAMS.test(name));
    if (what === undefined)
      throw new TidemillError('MethodNotAllowed', `${request.method} is not an operation of this ${level}`);
    throw new TidemillError(
      'NotSupported',
      `${request.method} with "${what.slice(0, 100)}" is not supported for this ${level}`,
    );
  }
  checkParams(request, route);
  checkHeaders(request, route, dialect);
  return route;
}

/** Parameters of the signatures, and S3's own name for the operation. */
const ALWAYS_PARAMS =
  /^(x-amz-(algorithm|credential|date|expires|signedheaders|signature|security-token|content-sha256)|x-oss-(signature-version|credential|date|expires|signature|security-token|additional-headers)|ossaccesskeyid|expires|signature|security-token|x-id)$/i;

function checkParams(request: ObjectsRequest, route: Route): void {
  const known = new Set([...(route.when ?? []), ...(route.params ?? [])]);
  const unknown = request.query.find(([name]) => !known.has(name) && !ALWAYS_PARAMS.test(name));
  if (unknown === undefined) return;
  throw new TidemillError(
    'NotSupported',
    `The parameter "${unknown[0].slice(0, 100)}" of ${route.name} is not supported`,
  );
}

const ALWAYS_HEADERS: readonly string[] = [
  'date',
  'content-sha256',
  'security-token',
  'user-agent',
  'expected-bucket-owner',
  'decoded-content-length',
  'trailer',
  'sdk-checksum-algorithm',
];

function checkHeaders(request: ObjectsRequest, route: Route, dialect: Dialect): void {
  const known = [...ALWAYS_HEADERS, ...(route.headers ?? [])];
  for (const [header, value] of request.headers) {
    const refuse = (what: string): never => {
      throw new TidemillError('NotSupported', `The header ${what} of ${route.name} is not supported`);
    };
    if (/^if-(none-)?match$/.test(header) && route.conditions !== true && request.method !== 'GET') refuse(header);
    if (!/^x-(amz|oss)-/.test(header)) continue;
    const name = header.slice(6);
    const isKnown = known.some((entry) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry));
    if (!header.startsWith(headerPrefix(dialect)) || !isKnown) refuse(header);
    checkValue(name, value, refuse, header);
  }
}

/** A header of which only the value that is the case anyway can be honoured. */
function checkValue(name: string, value: string, refuse: (what: string) => never, header: string): void {
  if (name === 'storage-class' && value.toLowerCase() !== 'standard') refuse(`${header}: ${value}`);
}
