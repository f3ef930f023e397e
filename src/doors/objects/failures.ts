import { TidemillError, type ErrorCode } from '../../core/domain/errors.ts';
import type { Dialect } from './dialect.ts';
import { element, xmlDocument } from './xml.ts';

/** A failure as a dialect shows it. */
export interface Failure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

interface DialectName {
  readonly status: number;
  readonly oss: string;
  readonly s3: string;
}

/** Codes of our table that the dialects call otherwise, or answer with another status. */
const NAMES: Readonly<Partial<Record<ErrorCode, DialectName>>> = {
  SignatureNotMatch: { status: 403, oss: 'SignatureDoesNotMatch', s3: 'SignatureDoesNotMatch' },
  InvalidAccessKeyID: { status: 403, oss: 'InvalidAccessKeyId', s3: 'InvalidAccessKeyId' },
  NotSupported: { status: 501, oss: 'NotImplemented', s3: 'NotImplemented' },
  InternalServerError: { status: 500, oss: 'InternalError', s3: 'InternalError' },
  MissingRequiredHeader: { status: 400, oss: 'InvalidArgument', s3: 'InvalidRequest' },
  InvalidObjectName: { status: 400, oss: 'InvalidObjectName', s3: 'InvalidURI' },
  BadDigest: { status: 400, oss: 'InvalidDigest', s3: 'BadDigest' },
};

/** Turns anything thrown into the dialect's own shape; what is not an expected failure becomes InternalError without details. */
export function failureOf(error: unknown, dialect: Dialect): Failure {
  const known =
    error instanceof TidemillError
      ? error
      : new TidemillError('InternalServerError', 'The object store failed to handle the request');
  const name = NAMES[known.code];
  return {
    status: name?.status ?? known.status,
    code: name?.[dialect] ?? known.code,
    message: `${known.message}. ${known.remedy}`,
  };
}

/** The error document that both dialects' clients parse. */
export function failureDocument(failure: Failure, context: { requestId: string; host: string; path: string }): string {
  return xmlDocument(
    element('Error', [
      element('Code', failure.code),
      element('Message', failure.message),
      element('Resource', context.path),
      element('RequestId', context.requestId),
      element('HostId', context.host),
    ]),
  );
}
