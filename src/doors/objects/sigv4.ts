import { TidemillError } from '../../core/domain/errors.ts';
import { AwsChunkSignatures, type ChunkSignatures } from './aws-chunked.ts';
import { type ObjectsRequest, percentEncode } from './request.ts';
import {
  checkPresignedTimes,
  checkSkew,
  findKey,
  foldKey,
  hmac,
  malformedAuthorization,
  parseCompactTime,
  type Payload,
  sameText,
  sha256Hex,
  type SignatureContext,
  signatureMismatch,
  type Verified,
} from './signature.ts';

/** The signed facts of an `AWS4-HMAC-SHA256` request, from header or query. */
interface Claim {
  readonly accessKeyId: string;
  /** day, region, service, terminator */
  readonly scope: readonly string[];
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly time: string;
  readonly token: string | undefined;
  readonly payloadHash: string;
  /** Query without the signature itself. */
  readonly query: ObjectsRequest['query'];
  readonly expires: string | undefined;
}

export const SIGV4_ALGORITHM = 'AWS4-HMAC-SHA256';

/** Verifies an AWS signature version 4, from the Authorization header or presigned. Any region is accepted. */
export function verifySigV4(request: ObjectsRequest, context: SignatureContext): Verified {
  const presigned = request.param('X-Amz-Algorithm') !== undefined;
  const claim = presigned ? presignedClaim(request) : headerClaim(request);
  const signedAt = parseCompactTime(claim.time);
  if (signedAt === undefined) throw malformedAuthorization('x-amz-date is missing or not YYYYMMDDTHHMMSSZ');
  if (claim.scope[0] !== claim.time.slice(0, 8)) throw malformedAuthorization('credential day and x-amz-date differ');
  if (claim.expires === undefined) checkSkew(signedAt, context.now);
  else checkPresignedTimes(signedAt, claim.expires, context.now);
  requireSigned(request, claim);
  const key = findKey(context.identity, claim.accessKeyId, claim.token);
  const signingKey = foldKey(`AWS4${key.secret}`, claim.scope);
  const scope = claim.scope.join('/');
  const hash = sha256Hex(canonicalRequest(request, claim));
  const expected = hmac('sha256', signingKey, [SIGV4_ALGORITHM, claim.time, scope, hash].join('\n')).toString('hex');
  if (!sameText(expected, claim.signature)) throw signatureMismatch();
  const address = context.candidates[0] ?? {};
  const chunks = new AwsChunkSignatures({ signingKey, time: claim.time, scope, seed: claim.signature });
  return { principal: key.principal, address, payload: payloadOf(claim.payloadHash, chunks) };
}

/** Exported for its tests: the canonical request of the AWS documentation, one character per byte. */
export function canonicalRequest(
  request: Pick<ObjectsRequest, 'method' | 'path' | 'header'>,
  claim: Pick<Claim, 'query' | 'signedHeaders' | 'payloadHash'>,
): string {
  const query = claim.query
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .toSorted(([aName, aValue], [bName, bValue]) => compare(aName, bName) || compare(aValue, bValue))
    .map(([name, value]) => `${name}=${value}`);
  const headers = claim.signedHeaders.map((name) => {
    const value = request.header(name);
    if (value === undefined) throw malformedAuthorization(`the signed header ${name} is missing`);
    return `${name}:${value.trim().replace(/ +/g, ' ')}\n`;
  });
  return [
    request.method,
    request.path.split('/').map(percentEncode).join('/'),
    query.join('&'),
    headers.join(''),
    claim.signedHeaders.join(';'),
    claim.payloadHash,
  ].join('\n');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function headerClaim(request: ObjectsRequest): Claim {
  const authorization = request.header('authorization') ?? '';
  const fields = new Map<string, string>();
  for (const field of authorization.slice(SIGV4_ALGORITHM.length).split(',')) {
    const [name = '', ...value] = field.trim().split('=');
    fields.set(name, value.join('='));
  }
  const payloadHash = request.header('x-amz-content-sha256');
  if (payloadHash === undefined) {
    throw new TidemillError('MissingRequiredHeader', 'The header x-amz-content-sha256 is missing');
  }
  return {
    ...parseCredential(fields.get('Credential')),
    signedHeaders: parseSignedHeaders(fields.get('SignedHeaders')),
    signature: fields.get('Signature') ?? '',
    time: request.header('x-amz-date') ?? '',
    token: request.header('x-amz-security-token'),
    payloadHash,
    query: request.query,
    expires: undefined,
  };
}

function presignedClaim(request: ObjectsRequest): Claim {
  if (request.param('X-Amz-Algorithm') !== SIGV4_ALGORITHM) {
    throw malformedAuthorization(`X-Amz-Algorithm is not ${SIGV4_ALGORITHM}`);
  }
  return {
    ...parseCredential(request.param('X-Amz-Credential')),
    signedHeaders: parseSignedHeaders(request.param('X-Amz-SignedHeaders')),
    signature: request.param('X-Amz-Signature') ?? '',
    time: request.param('X-Amz-Date') ?? '',
    token: request.param('X-Amz-Security-Token'),
    payloadHash: request.param('X-Amz-Content-Sha256') ?? request.header('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD',
    query: request.query.filter(([name]) => name !== 'X-Amz-Signature'),
    expires: request.param('X-Amz-Expires') ?? '',
  };
}

/** Splits `ID/20260131/region/s3/aws4_request`. */
export function parseCredential(credential: string | undefined): { accessKeyId: string; scope: readonly string[] } {
  const parts = (credential ?? '').split('/');
  const scope = parts.slice(-4);
  if (parts.length < 5 || scope[2] !== 's3' || scope[3] !== 'aws4_request') {
    throw malformedAuthorization('the credential is not ID/DAY/REGION/s3/aws4_request');
  }
  return { accessKeyId: parts.slice(0, -4).join('/'), scope };
}

function parseSignedHeaders(list: string | undefined): readonly string[] {
  const names = (list ?? '').split(';').filter((name) => name !== '');
  if (!names.includes('host')) throw malformedAuthorization('the header host must be signed');
  return names;
}

/** What changes the meaning of a request must be under its signature, else anybody on the way could add it. */
function requireSigned(request: ObjectsRequest, claim: Claim): void {
  for (const name of request.headers.keys()) {
    if (!name.startsWith('x-amz-') || claim.signedHeaders.includes(name)) continue;
    if (name === 'x-amz-content-sha256' && claim.expires !== undefined) continue;
    throw new TidemillError('AccessDenied', `The header ${name} is present but not signed`, {
      remedy: 'Sign every x-amz- header that is sent.',
    });
  }
}

function payloadOf(hash: string, signatures: ChunkSignatures): Payload {
  if (hash === 'UNSIGNED-PAYLOAD') return { kind: 'plain' };
  if (hash === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') return { kind: 'chunked' };
  if (hash === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' || hash === 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER') {
    return { kind: 'chunked', signatures };
  }
  if (/^[0-9a-f]{64}$/.test(hash)) return { kind: 'plain', sha256: hash };
  throw new TidemillError('InvalidArgument', 'x-amz-content-sha256 is neither a hash nor a known marker');
}
