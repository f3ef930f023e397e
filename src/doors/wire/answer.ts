import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Logger } from '../../core/base/log.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import { clientGone } from './body.ts';

/**
 * Any thrown value as the error to answer with. What is not a TidemillError is a bug: it is logged with the request id, and
 * the caller learns the id only.
 */
export function asTidemillError(error: unknown, requestId: string, logger: Logger): TidemillError {
  if (error instanceof TidemillError) return error;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  logger.log('error', 'a request failed unexpectedly', { requestId, error: text });
  return new TidemillError('InternalServerError', 'The platform failed to handle this request');
}

/** What happened, then what to do, as one text. */
export function messageOf(error: TidemillError): string {
  return `${error.message}${/[.!?]$/.test(error.message) ? '' : '.'} ${error.remedy}`;
}

/** The field's error body `{RequestId, Code, Message}` (FC reference 2.4) plus `Culprit`. */
export function errorBody(requestId: string, error: TidemillError): Buffer {
  const { code, culprit } = error;
  return Buffer.from(JSON.stringify({ RequestId: requestId, Code: code, Message: messageOf(error), Culprit: culprit }));
}

/** Error answers of the platform's own, told apart from what functions answer with the same status. */
const refusals = new WeakMap<ServerResponse, { readonly requestId: string; readonly code: string }>();

/** Request id and error code when the platform refused a request with `sendError`. */
export function refusalOf(res: ServerResponse): { readonly requestId: string; readonly code: string } | undefined {
  return refusals.get(res);
}

/**
 * Answers with the field's error body `{RequestId, Code, Message}` (FC reference 2.4) plus `Culprit`, which SDKs ignore:
 * caller, function, limit or platform. Nothing is sent when the headers are out already: the connection breaks instead, so
 * that a client never takes half an answer for a whole one.
 */
export function sendError(res: ServerResponse, requestId: string, error: TidemillError): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = errorBody(requestId, error);
  refusals.set(res, { requestId, code: error.code });
  for (const name of res.getHeaderNames()) if (name.startsWith('content-')) res.removeHeader(name);
  res.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': body.length,
    'x-fc-request-id': requestId,
    'x-acs-request-id': requestId,
  });
  res.end(body);
}

/** Writes a stream to the client at the client's pace; stops the source when the client goes away. Rejects when the source fails. */
export async function sendStream(res: ServerResponse, source: AsyncIterable<Uint8Array>): Promise<void> {
  const closed = new AbortController();
  const onClose = (): void => closed.abort();
  res.once('close', onClose);
  if (res.closed || res.destroyed) closed.abort();
  // headers must not wait for a first byte that may be far away
  else res.flushHeaders();
  try {
    for await (const chunk of source) {
      if (closed.signal.aborted) return;
      if (!res.write(chunk)) await once(res, 'drain', { signal: closed.signal });
    }
    res.end();
  } catch (error) {
    if (!closed.signal.aborted) throw error;
  } finally {
    res.off('close', onClose);
  }
}

/**
 * Aborted when the client disconnects before the answer is complete; the reason is a ClientClosedRequest. The caller may
 * abort it as well, when it gives up on an answer that still streams.
 */
export function cancellation(res: ServerResponse): AbortController {
  const controller = new AbortController();
  if (res.closed || res.destroyed) controller.abort(clientGone());
  res.once('close', () => {
    if (!res.writableFinished) controller.abort(clientGone());
  });
  return controller;
}
