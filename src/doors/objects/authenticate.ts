import type { Principal } from '../../core/domain/credentials.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { Address } from './address.ts';
import { verifyOssV1 } from './oss-v1.ts';
import { OSS_V4_ALGORITHM, verifyOssV4 } from './oss-v4.ts';
import type { ObjectsRequest } from './request.ts';
import type { Payload, SignatureContext } from './signature.ts';
import { SIGV4_ALGORITHM, verifySigV4 } from './sigv4.ts';

/** Who calls, what about, and how the body is bound. `principal` is undefined for an anonymous caller. */
export interface Authenticated {
  readonly principal: Principal | undefined;
  readonly address: Address;
  readonly payload: Payload;
}

/** Verifies whichever signature the request carries. A request with a wrong or unknown one is refused, never anonymous. */
export function authenticate(request: ObjectsRequest, context: SignatureContext): Authenticated {
  const authorization = request.header('authorization');
  if (authorization !== undefined) {
    if (authorization.startsWith(`${SIGV4_ALGORITHM} `)) return verifySigV4(request, context);
    if (authorization.startsWith(`${OSS_V4_ALGORITHM} `)) return verifyOssV4(request, context);
    if (authorization.startsWith('OSS ')) return verifyOssV1(request, context);
    throw unknownScheme(authorization.split(' ', 1)[0] ?? '');
  }
  if (request.param('X-Amz-Algorithm') !== undefined) return verifySigV4(request, context);
  if (request.param('x-oss-signature-version') !== undefined) return verifyOssV4(request, context);
  if (request.param('OSSAccessKeyId') !== undefined) return verifyOssV1(request, context);
  if (request.param('AWSAccessKeyId') !== undefined) throw unknownScheme('AWSAccessKeyId');
  const chunked = request
    .header('content-encoding')
    ?.split(',')
    .some((coding) => coding.trim() === 'aws-chunked');
  const payload: Payload = chunked === true ? { kind: 'chunked' } : { kind: 'plain' };
  return { principal: undefined, address: context.candidates[0] ?? {}, payload };
}

function unknownScheme(scheme: string): TidemillError {
  return new TidemillError('InvalidArgument', `The authorization scheme "${scheme.slice(0, 40)}" is not supported`, {
    remedy: `Sign with ${SIGV4_ALGORITHM}, ${OSS_V4_ALGORITHM} or OSS.`,
  });
}

/** Throws AccessDenied for an anonymous caller. */
export function requireAccount(principal: Principal | undefined): asserts principal is Principal {
  if (principal === undefined) throw new TidemillError('AccessDenied', 'The request is not signed');
}
