import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/base/clock.ts';
import { newRequestId } from '../../core/base/ids.ts';
import type { Random } from '../../core/base/random.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { messageOf } from './answer.ts';

/**
 * For `server.on('clientError')`: bytes that are not HTTP, or headers beyond what the parser takes, still get a JSON error
 * with a request id instead of an empty answer (FC reference 2.4).
 */
export function answerClientError(
  error: Error & { code?: string },
  socket: Duplex,
  random: Random,
  clock: Clock,
): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const requestId = newRequestId(random, clock.now());
  const what =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'the request headers are too large'
      : `the request is not valid HTTP (${error.message})`;
  const answer = new TidemillError('InvalidArgument', what);
  const body = JSON.stringify({
    RequestId: requestId,
    Code: answer.code,
    Message: messageOf(answer),
    Culprit: answer.culprit,
  });
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `x-fc-request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
  );
}
