import { errors } from 'undici';
import { TidemillError } from '../../core/domain/errors.ts';
import { LinkBrokenError } from '../../core/ports/instance-link.ts';

const BAD_ANSWER = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH']);

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/**
 * What a failed exchange with a custom runtime means: the signal's reason, an answer that is no valid HTTP (BadResponse:
 * the function's fault), or a connection that is gone.
 */
export function linkFailure(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason;
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof errors.HTTPParserError || BAD_ANSWER.has(code)) {
    return new TidemillError('BadResponse', `The function answered with invalid HTTP: ${message}`, { cause: error });
  }
  return new LinkBrokenError(`the connection to the instance failed: ${message}`, { cause: error });
}

/** True when the connection was gone before an answer began, e.g. a kept-alive one that the function's server had closed. */
export function isReset(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}
