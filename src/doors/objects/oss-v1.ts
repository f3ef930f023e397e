import { TidemillError } from '../../core/domain/errors.ts';
import type { Address } from './address.ts';
import type { ObjectsRequest } from './request.ts';
import {
  checkSkew,
  findKey,
  hmac,
  malformedAuthorization,
  requestExpired,
  sameText,
  type SignatureContext,
  signatureMismatch,
  utf8AsBytes,
  type Verified,
} from './signature.ts';

/** Query parameters that OSS counts as part of the resource in its first signature version. */
const SIGNED_PARAMETERS: ReadonlySet<string> = new Set(
  (
    'acl append asyncFetch bucketInfo callback callback-var cloudboxes cname comp continuation-token cors delete ' +
    'encryption endTime img inventory inventoryId lifecycle live location logging metaQuery objectMeta partNumber policy ' +
    'position qos referer regionList replication replicationLocation replicationProgress requestPayment ' +
    'resourceGroup response-cache-control response-content-disposition response-content-encoding ' +
    'response-content-language response-content-type response-expires restore security-token sequential startTime stat ' +
    'status style styleName symlink tagging transferAcceleration udf udfApplication udfApplicationLog udfId udfImage ' +
    'udfImageDesc udfName uploadId uploads versionId versioning versions vod website withHashContext worm wormExtend ' +
    'wormId x-oss-ac-forward-allow x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id x-oss-async-process ' +
    'x-oss-process x-oss-request-payer x-oss-traffic-limit x-oss-write-get-object-response'
  ).split(' '),
);

/** Verifies `Authorization: OSS ID:SIGNATURE` or the presigned parameters OSSAccessKeyId, Expires, Signature. */
export function verifyOssV1(request: ObjectsRequest, context: SignatureContext): Verified {
  const authorization = request.header('authorization');
  const claim =
    authorization === undefined
      ? presignedClaim(request, context.now)
      : headerClaim(authorization, request, context.now);
  const key = findKey(context.identity, claim.accessKeyId, claim.token);
  const address = context.candidates.find((candidate) => {
    const stringToSign = ossV1StringToSign(request, candidate, claim.date);
    return sameText(hmac('sha1', key.secret, stringToSign).toString('base64'), claim.signature);
  });
  if (address === undefined) throw signatureMismatch();
  return { principal: key.principal, address, payload: { kind: 'plain' } };
}

interface Claim {
  readonly accessKeyId: string;
  readonly signature: string;
  readonly token: string | undefined;
  /** Fourth line of the string to sign. */
  readonly date: string;
}

function headerClaim(authorization: string, request: ObjectsRequest, now: number): Claim {
  const match = /^OSS ([^:]+):(\S+)$/.exec(authorization);
  if (match === null) throw malformedAuthorization('it is not OSS ID:SIGNATURE');
  const date = request.header('x-oss-date') ?? request.header('date');
  if (date === undefined) throw new TidemillError('MissingRequiredHeader', 'The header Date is missing');
  const signedAt = Date.parse(date);
  if (Number.isNaN(signedAt)) throw malformedAuthorization('the Date header is not a date');
  checkSkew(signedAt, now);
  const [, accessKeyId = '', signature = ''] = match;
  return { accessKeyId, signature, date, token: request.header('x-oss-security-token') };
}

function presignedClaim(request: ObjectsRequest, now: number): Claim {
  const date = request.param('Expires') ?? '';
  if (!/^\d{1,12}$/.test(date)) throw malformedAuthorization('Expires is not a number of seconds');
  if (now > Number(date) * 1000) throw requestExpired();
  return {
    accessKeyId: request.param('OSSAccessKeyId') ?? '',
    signature: request.param('Signature') ?? '',
    date,
    token: request.param('security-token'),
  };
}

/** Exported for its tests: one character per byte. */
export function ossV1StringToSign(
  request: Pick<ObjectsRequest, 'method' | 'query' | 'headers' | 'header'>,
  address: Address,
  date: string,
): string {
  const ossHeaders = [...request.headers.keys()]
    .filter((name) => name.startsWith('x-oss-'))
    .toSorted()
    .map((name) => `${name}:${(request.header(name) ?? '').trim()}\n`);
  return (
    `${request.method}\n${request.header('content-md5') ?? ''}\n${request.header('content-type') ?? ''}\n${date}\n` +
    ossHeaders.join('') +
    canonicalResource(request.query, address)
  );
}

function canonicalResource(query: ObjectsRequest['query'], address: Address): string {
  const resource = address.bucket === undefined ? '/' : `/${address.bucket}/${address.key ?? ''}`;
  const parameters = query
    .filter(([name]) => SIGNED_PARAMETERS.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`));
  return utf8AsBytes(parameters.length === 0 ? resource : `${resource}?${parameters.join('&')}`);
}
