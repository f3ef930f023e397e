import type { ErrorCode, TidemillError } from '../../core/domain/errors.ts';

/** Codes of RAM and STS that are not those of the table. What is not here keeps its code and status. */
const CODES: Partial<Record<ErrorCode, { readonly code: string; readonly status: number }>> = {
  AccessDenied: { code: 'NoPermission', status: 403 },
  InvalidArgument: { code: 'InvalidParameter', status: 400 },
  InvalidAccessKeyID: { code: 'InvalidAccessKeyId.NotFound', status: 404 },
  SignatureNotMatch: { code: 'SignatureDoesNotMatch', status: 400 },
  LimitExceededError: { code: 'LimitExceeded', status: 409 },
  ResourceExhausted: { code: 'Throttling.User', status: 429 },
  InternalServerError: { code: 'InternalError', status: 500 },
};

/** An error as RAM and STS answer it: their SDKs make an exception of `Code` and `Message`. */
export function failureOf(error: TidemillError): { readonly code: string; readonly status: number } {
  return CODES[error.code] ?? { code: error.code, status: error.status };
}
