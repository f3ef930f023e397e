import type { Address } from './address.ts';
import { type ObjectsRequest, percentEncode } from './request.ts';
import {
  checkPresignedTimes,
  checkSkew,
  findKey,
  foldKey,
  hmac,
  malformedAuthorization,
  parseCompactTime,
  sameText,
  sha256Hex,
  type SignatureContext,
  signatureMismatch,
  type Verified,
} from './signature.ts';

export const OSS_V4_ALGORITHM = 'OSS4-HMAC-SHA256';

interface Claim {
  readonly accessKeyId: string;
  /** day, region, product, terminator */
  readonly scope: readonly string[];
  readonly additionalHeaders: readonly string[];
  readonly signature: string;
  readonly time: string;
  readonly token: string | undefined;
  readonly query: ObjectsRequest['query'];
  readonly expires: string | undefined;
}

/** Verifies an OSS signature version 4, from the Authorization header or presigned. Any region is accepted. */
export function verifyOssV4(request: ObjectsRequest, context: SignatureContext): Verified {
  const claim = request.param('x-oss-signature-version') === undefined ? headerClaim(request) : presignedClaim(request);
  const signedAt = parseCompactTime(claim.time);
  if (signedAt === undefined) throw malformedAuthorization('x-oss-date is missing or not YYYYMMDDTHHMMSSZ');
  if (claim.scope[0] !== claim.time.slice(0, 8)) throw malformedAuthorization('credential day and x-oss-date differ');
  if (claim.expires === undefined) checkSkew(signedAt, context.now);
  else checkPresignedTimes(signedAt, claim.expires, context.now);
  const key = findKey(context.identity, claim.accessKeyId, claim.token);
  const signingKey = foldKey(`aliyun_v4${key.secret}`, claim.scope);
  const prefix = [OSS_V4_ALGORITHM, claim.time, claim.scope.join('/')].join('\n');
  const matches = (canonical: string): boolean => {
    const expected = hmac('sha256', signingKey, `${prefix}\n${sha256Hex(canonical)}`).toString('hex');
    return sameText(expected, claim.signature);
  };
  const address = context.candidates.find(
    (candidate) =>
      matches(ossV4CanonicalRequest(request, candidate, claim, 'bare')) ||
      matches(ossV4CanonicalRequest(request, candidate, claim, 'mixed')),
  );
  if (address === undefined) throw signatureMismatch();
  return { principal: key.principal, address, payload: { kind: 'plain' } };
}

/** Parameters that name a sub-resource: ali-oss signs these without `=` when empty. */
const SUB_RESOURCES: ReadonlySet<string> = new Set([
  'acl',
  'bucketInfo',
  'delete',
  'location',
  'objectMeta',
  'uploads',
]);

/**
 * Exported for its tests: one character per byte. An empty parameter is signed without `=` (`bare`), as the documentation
 * says; ali-oss does so for sub-resources only and signs `prefix=` with it (`mixed`).
 */
export function ossV4CanonicalRequest(
  request: Pick<ObjectsRequest, 'method' | 'headers' | 'header'>,
  address: Address,
  claim: Pick<Claim, 'query' | 'additionalHeaders'>,
  emptyParameters: 'bare' | 'mixed',
): string {
  const resource = address.bucket === undefined ? '/' : `/${address.bucket}/${address.key ?? ''}`;
  const query = claim.query
    .map(([name, value]) => {
      const bare = value === '' && (emptyParameters === 'bare' || SUB_RESOURCES.has(name));
      return [percentEncode(name), bare ? '' : `=${percentEncode(value)}`] as const;
    })
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => name + value);
  const headers = [...request.headers.keys()]
    .filter((name) => isAlwaysSigned(name) || claim.additionalHeaders.includes(name))
    .toSorted()
    .map((name) => `${name}:${(request.header(name) ?? '').trim()}\n`);
  return [
    request.method,
    resource.split('/').map(percentEncode).join('/'),
    query.join('&'),
    headers.join(''),
    claim.additionalHeaders.join(';'),
    request.header('x-oss-content-sha256') ?? 'UNSIGNED-PAYLOAD',
  ].join('\n');
}

function isAlwaysSigned(name: string): boolean {
  return name === 'content-type' || name === 'content-md5' || name.startsWith('x-oss-');
}

function headerClaim(request: ObjectsRequest): Claim {
  const fields = new Map<string, string>();
  for (const field of (request.header('authorization') ?? '').slice(OSS_V4_ALGORITHM.length).split(',')) {
    const [name = '', ...value] = field.trim().split('=');
    fields.set(name, value.join('='));
  }
  return {
    ...parseOssCredential(fields.get('Credential')),
    additionalHeaders: splitNames(fields.get('AdditionalHeaders')),
    signature: fields.get('Signature') ?? '',
    time: request.header('x-oss-date') ?? '',
    token: request.header('x-oss-security-token'),
    query: request.query,
    expires: undefined,
  };
}

function presignedClaim(request: ObjectsRequest): Claim {
  if (request.param('x-oss-signature-version') !== OSS_V4_ALGORITHM) {
    throw malformedAuthorization(`x-oss-signature-version is not ${OSS_V4_ALGORITHM}`);
  }
  return {
    ...parseOssCredential(request.param('x-oss-credential')),
    additionalHeaders: splitNames(request.param('x-oss-additional-headers')),
    signature: request.param('x-oss-signature') ?? '',
    time: request.param('x-oss-date') ?? '',
    token: request.param('x-oss-security-token'),
    query: request.query.filter(([name]) => name !== 'x-oss-signature'),
    expires: request.param('x-oss-expires') ?? '',
  };
}

function splitNames(list: string | undefined): readonly string[] {
  return (list ?? '')
    .split(';')
    .filter((name) => name !== '')
    .map((name) => name.toLowerCase())
    .toSorted();
}

/** Splits `ID/20260131/region/oss/aliyun_v4_request`. */
export function parseOssCredential(credential: string | undefined): { accessKeyId: string; scope: readonly string[] } {
  const parts = (credential ?? '').split('/');
  const scope = parts.slice(-4);
  if (parts.length < 5 || scope[2] !== 'oss' || scope[3] !== 'aliyun_v4_request') {
    throw malformedAuthorization('the credential is not ID/DAY/REGION/oss/aliyun_v4_request');
  }
  return { accessKeyId: parts.slice(0, -4).join('/'), scope };
}
