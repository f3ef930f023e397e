import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TidemillError } from '../../core/domain/errors.ts';
import { sendError, sendStream } from './answer.ts';
import { hasBody, readBody, streamBody } from './body.ts';
import { CallerLeft, type Exchange } from './exchange.ts';

const NOTHING = new Uint8Array(0);

/** The exchange that `node:http` carries. */
export class NodeExchange implements Exchange {
  readonly head: IncomingMessage;
  private readonly res: ServerResponse;
  private left: CallerLeft | undefined = undefined;

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.head = req;
    this.res = res;
  }

  get cancel(): CallerLeft {
    this.left ??= leftOf(this.res);
    return this.left;
  }

  body(limit: number, sha256: string | undefined): Promise<Buffer> {
    return readBody(this.head, limit, sha256);
  }

  incoming(limit: number): Uint8Array | AsyncIterable<Uint8Array> {
    return hasBody(this.head) ? streamBody(this.head, limit) : NOTHING;
  }

  send(status: number, headers: string[], body?: Uint8Array): void {
    headers.push('content-length', String(body?.byteLength ?? 0));
    this.answer(status, headers, body);
  }

  answer(status: number, headers: string[], body?: Uint8Array): void {
    this.res.writeHead(status, headers);
    this.res.end(body);
  }

  stream(status: number, headers: string[], source: AsyncIterable<Uint8Array>): Promise<void> {
    this.res.writeHead(status, headers);
    return sendStream(this.res, source);
  }

  refuse(requestId: string, error: TidemillError, more: readonly string[] = []): void {
    if (!this.res.headersSent) {
      for (let i = 0; i + 1 < more.length; i += 2) this.res.setHeader(more[i] ?? '', more[i + 1] ?? '');
    }
    sendError(this.res, requestId, error);
    // what is left of the body is read and dropped, so that the client gets to see the answer
    this.head.resume();
  }
}

function leftOf(res: ServerResponse): CallerLeft {
  const left = new CallerLeft();
  if (res.closed || res.destroyed) left.leave();
  res.once('close', () => {
    if (!res.writableFinished) left.leave();
  });
  return left;
}
