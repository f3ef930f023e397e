import { TidemillError } from '../../core/domain/errors.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { RequestHead } from './exchange.ts';

/** Throws InvalidArgument when request line or headers are larger than the field allows (FC reference 2.10). */
export function checkHeadLimits(req: RequestHead): void {
  const target = req.url ?? '/';
  if (target.length > LIMITS.requestPathBytes) {
    throw new TidemillError(
      'InvalidArgument',
      `path and query are ${target.length} bytes, the limit is ${LIMITS.requestPathBytes} bytes`,
    );
  }
  let bytes = 0;
  // ": " and CRLF belong to every header line, two entries of rawHeaders each
  for (const text of req.rawHeaders) bytes += text.length + 2;
  if (bytes > LIMITS.requestHeaderBytes) {
    throw new TidemillError(
      'InvalidArgument',
      `the request headers are ${bytes} bytes, the limit is ${LIMITS.requestHeaderBytes} bytes`,
    );
  }
}
